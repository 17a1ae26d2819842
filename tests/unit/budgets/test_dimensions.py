"""What a policy goes by, and our gateway does not send of itself."""

from pathlib import Path

import pytest

from budgets.documents.dimensions import SENT
from budgets.matching.policy import Policy
from gateway.asks import HEADER_OF
from gateway.config import ALWAYS
from tests.unit.budgets.policies import ONE_TEAM, budget_document, entry, limit, ratelimit_file, write


def test_what_is_sent_is_what_every_gateway_sends() -> None:
    assert {*HEADER_OF, *ALWAYS, "user_id", "model"} == SENT


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (budget_document(entry("a", {"team": "dba"}), entry("b", {"taem": "*"})), "spec.budgets[1].subject.taem"),
        (
            ratelimit_file({"key": "team", "descriptors": [{"key": "taem", "rate_limit": limit(1)}]}),
            "descriptors[0].descriptors[0].key",
        ),
        (
            ratelimit_file({"key": "taem", "descriptors": [{"key": "team", "rate_limit": limit(1)}]}),
            "descriptors[0].key",
        ),
        (ONE_TEAM.replace("X-Team-ID", "X-Dimension-Taem"), "spec.raw.rateLimits[0].actions[0]"),
    ],
    ids=["subject", "key", "key above another", "header"],
)
def test_a_dimension_that_the_gateway_sends_only_when_told_to_is_noted(tmp_path: Path, text: str, place: str) -> None:
    file = write(tmp_path, text)
    reason = "our gateway sends 'taem' only if GATEWAY_DIMENSIONS names it"
    assert Policy.read(file).warnings == (f"{file}: {place}: {reason}",)


@pytest.mark.parametrize("dimension", sorted(SENT))
def test_a_dimension_that_the_gateway_sends_is_nothing_to_note(tmp_path: Path, dimension: str) -> None:
    assert Policy.read(write(tmp_path, budget_document(entry(subject={dimension: "x"})))).warnings == ()
    assert Policy.read(write(tmp_path, ratelimit_file({"key": dimension, "rate_limit": limit(1)}))).warnings == ()
