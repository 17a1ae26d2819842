from pathlib import Path
from typing import Any

import httpx
import pytest

from budgets.callers import create_caller_app
from tests.unit.budgets.policies import budget_document, entry
from tests.unit.budgets.serving import Service, client

pytestmark = pytest.mark.anyio

CALENDAR_DAY = {"unit": "Day", "alignment": "Calendar"}
CATALOG = '{"providers": {"house": {"models": {"house-model": {"rates": {"input": "1", "output": "1"}}}}}}'
POLICY = {
    "a.yaml": budget_document(
        entry("team", {"team": "*"}, limit={"unit": "Tokens", "amount": 1_000}, window=CALENDAR_DAY),
        entry("user", {"user": "*"}, limit={"unit": "Tokens", "amount": 1_000}, window=CALENDAR_DAY),
        entry("model", {"team": "dba", "model": "house-model"}, limit={"unit": "Tokens", "amount": 10}),
        entry("each-model", {"team": "dba", "model": "*"}),
        entry("support", {"team": "support"}),
    )
}
DBA = {"x-team-id": "dba", "x-user-id": "alice"}


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path, POLICY)


async def ask(service: Service, headers: dict[str, str] | dict[str, bytes]) -> httpx.Response:
    async with client(create_caller_app(service.overview, service.clock)) as http:
        return await http.get("/v1/budget", headers=headers)  # type: ignore[arg-type]


async def answer(service: Service, headers: dict[str, str]) -> dict[str, Any]:
    response = await ask(service, headers)
    assert response.status_code == 200
    told: dict[str, Any] = response.json()
    return told


def ids(told: dict[str, Any]) -> list[str]:
    return [budget["id"] for budget in told["budgets"]]


async def test_a_caller_reads_its_own_budgets_and_nobody_elses(service: Service) -> None:
    await service.charge(5, team="dba", user="alice")
    await service.charge(6, team="dba", user="bob")
    await service.charge(7, team="support", user="carol")
    told = await answer(service, DBA)
    assert told["subject"] == {"team": "dba", "user": "alice"}
    assert {budget["id"]: budget["used"] for budget in told["budgets"]} == {
        "default/limits/team/dba": 11,
        "default/limits/user/alice": 5,
        "default/limits/model": 0,
    }


async def test_the_tightest_comes_first(service: Service) -> None:
    await service.charge(5, team="dba", user="bob")
    await service.charge(9, team="nobody", user="alice")
    assert ids(await answer(service, DBA)) == ["default/limits/user/alice", "default/limits/team/dba", "default/limits/model"]
    await service.charge(6, team="dba", user="bob")
    assert ids(await answer(service, DBA))[0] == "default/limits/team/dba"


async def test_a_budget_is_told_as_in_a_refusal_with_an_outlook(service: Service) -> None:
    await service.charge(500, team="dba")
    told = await answer(service, {"x-team-id": "dba"})
    (budget,) = (each for each in told["budgets"] if each["id"] == "default/limits/team/dba")
    assert budget == {
        "id": "default/limits/team/dba",
        "subject": {"team": "dba"},
        "unit": "tokens",
        "limit": 1_000,
        "used": 500,
        "reserved": 0,
        "remaining": 500,
        "window": "day",
        "alignment": "calendar",
        "action": "block",
        "reset_at": "2026-11-22T00:00:00Z",
        "retryable": False,
        "burn_rate": 100,
        "spent_at": "2026-11-21T12:05:00Z",
    }


async def test_what_calls_under_way_hold_is_told(service: Service) -> None:
    await service.reserve(team="dba", user="alice")
    held = {budget["id"]: budget["reserved"] for budget in (await answer(service, DBA))["budgets"]}
    assert held["default/limits/team/dba"] == held["default/limits/user/alice"] == 100


async def test_a_budget_that_nobody_spends_is_never_spent(service: Service) -> None:
    for budget in (await answer(service, DBA))["budgets"]:
        assert (budget["burn_rate"], budget["spent_at"]) == (0, None)


async def test_a_budget_that_resets_before_it_would_be_spent_has_no_such_moment(service: Service) -> None:
    await service.charge(500, team="dba")
    service.now += 30 * 60
    (budget,) = (each for each in (await answer(service, {"x-team-id": "dba"}))["budgets"] if each["used"])
    assert budget["spent_at"] is None
    assert budget["burn_rate"] == 0


async def test_a_budget_in_dollars_tells_its_burn_rate_in_dollars(tmp_path: Path) -> None:
    usd = {"unit": "USD", "amount": "1"}
    service = Service(tmp_path, {"a.yaml": budget_document(entry(limit=usd)), "catalog.json": CATALOG})
    await service.charge(500_000, team="dba", model="house-model")
    (budget,) = (await answer(service, DBA))["budgets"]
    assert (budget["used"], budget["burn_rate"], budget["spent_at"]) == ("0.5", "0.1", "2026-11-21T12:05:00Z")


async def test_without_a_header_that_says_who_calls_nobody_has_budgets(service: Service) -> None:
    await service.charge(5, team="dba")
    assert await answer(service, {"team": "dba", "authorization": "Bearer x"}) == {"subject": {}, "budgets": []}
    assert await answer(service, {"x-team-id": ""}) == {"subject": {}, "budgets": []}


async def test_every_dimension_has_a_header(tmp_path: Path) -> None:
    subject = {"team": "*", "user": "*", "virtualKey": "*", "tier": "free"}
    service = Service(tmp_path, {"a.yaml": budget_document(entry(subject=subject))})
    stamped = {**DBA, "X-Virtual-Key": "alice-key", "X-Dimension-tier": "free", "x-dimension-tenant_id": "t", "x-other": "1"}
    told = await answer(service, stamped)
    assert told["subject"] == {"team": "dba", "user": "alice", "virtualKey": "alice-key", "tier": "free", "tenant_id": "t"}
    assert ids(told) == ["default/limits/spend/dba/alice/alice-key"]


async def test_a_subject_beyond_latin_1_is_the_one_that_the_calls_were_charged_to(service: Service) -> None:
    await service.charge(5, team="dba", user="zoë-研究")
    response = await ask(service, {"x-user-id": "zoë-研究".encode()})
    assert response.json()["subject"] == {"user": "zoë-研究"}
    assert [budget["used"] for budget in response.json()["budgets"]] == [5]


async def test_a_header_that_is_not_utf_8_is_refused(service: Service) -> None:
    response = await ask(service, {"x-user-id": b"zo\xeb"})
    assert response.status_code == 400
    assert response.json() == {
        "error": {
            "message": "A header that says who calls is not UTF-8 text.",
            "type": "invalid_request_error",
            "code": "unreadable_header",
            "param": None,
        }
    }


async def test_another_header_may_hold_any_bytes(service: Service) -> None:
    assert (await ask(service, {"x-other": b"\xff", "x-team-id": b"dba"})).status_code == 200


async def test_while_the_store_is_away_the_answer_is_a_503_that_says_so(service: Service) -> None:
    service.store.away = True
    response = await ask(service, DBA)
    assert response.status_code == 503
    assert response.json() == {
        "error": {
            "message": "The budget store cannot be used.",
            "type": "server_error",
            "code": "budget_store_away",
            "param": None,
        }
    }


async def test_nothing_else_is_served_to_callers(service: Service) -> None:
    async with client(create_caller_app(service.overview, service.clock)) as http:
        for path in ("/v1/budgets", "/v1/budgets/reset", "/metrics", "/openapi.json", "/docs", "/redoc"):
            assert (await http.get(path)).status_code == 404
        assert (await http.post("/v1/budget")).status_code == 405
