from datetime import UTC, datetime

import pytest

from agents.identity import Identity
from agents.serving import warn_if_expired
from tests.unit.agents.doubles import NOON


def test_an_expired_token_is_a_warning_that_names_the_remedy(caplog: pytest.LogCaptureFixture) -> None:
    warn_if_expired(Identity("dba", datetime(2026, 11, 21, 14, tzinfo=UTC)), NOON)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "expired at 2026-11-21T14:00:00+00:00" in record.message
    assert "Mount a new token" in record.message


@pytest.mark.parametrize("expires_at", [None, datetime(2026, 11, 22, tzinfo=UTC)])
def test_a_token_that_is_good_is_no_news(expires_at: datetime | None, caplog: pytest.LogCaptureFixture) -> None:
    warn_if_expired(Identity("dba", expires_at), NOON)
    assert caplog.records == []
