from typing import Any

import pytest

from runner.books import Books
from runner.ports import Ports
from tests.integration.gateway.upstream import Upstream

pytestmark = pytest.mark.anyio


def budget(name: str, unit: str, used: Any, **subject: str) -> dict[str, Any]:
    return {"id": name, "subject": subject, "unit": unit, "window": "day", "limit": 9, "used": used}


async def test_only_what_the_ledger_knows_too_is_compared_with_it() -> None:
    budgets = [
        budget("a", "tokens", 3, team="dba"),
        budget("b", "usd", "0.5", team="dba"),
        budget("c", "tokens", 3, team="dba", model="m"),
        budget("d", "tokens", 3, user="alice"),
        budget("e", "tokens", 3),
    ]
    services = Upstream()
    services.answers({"budgets": budgets, "callers": [{"team": "dba", "total_tokens": 3}], "reset": budgets})
    with Ports() as ports:
        port = ports.take()
        url = f"http://127.0.0.1:{port}"
        async with services.serving(port), Books(url, url) as books:
            (account,) = await books.accounts()
            assert (account.team, account.used, account.ledger, account.balanced) == ("dba", 3, 3, True)
            await books.reset("dba")
            assert [each.forgiven for each in await books.accounts()] == [3]
