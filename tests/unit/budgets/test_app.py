import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from budgets.app import create_app
from tests.unit.budgets.policies import budget_document, entry
from tests.unit.budgets.serving import Service, client

pytestmark = pytest.mark.anyio

CALENDAR_DAY = {"unit": "Day", "alignment": "Calendar"}
POLICY = {
    "a.yaml": budget_document(
        entry("dba", {"team": "dba"}, window=CALENDAR_DAY),
        entry("support", {"team": "support"}, window=CALENDAR_DAY),
        entry("user", {"team": "*", "user": "*"}, window=CALENDAR_DAY),
        entry("dollars", {"tier": "gold"}, limit={"unit": "USD", "amount": "2.50"}),
    )
}
DBA, USER, DOLLARS = "default/limits/dba", "default/limits/user/dba/alice", "default/limits/dollars"


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path, POLICY)


@pytest.fixture
async def http(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with client(create_app(service.overview, service.store, service.policy_file, service.metrics)) as connected:
        yield connected


async def used(http: httpx.AsyncClient) -> dict[str, int]:
    return {budget["id"]: budget["used"] for budget in (await http.get("/v1/budgets")).json()["budgets"]}


async def reset(http: httpx.AsyncClient, **asked: Any) -> httpx.Response:
    return await http.post("/v1/budgets/reset", json=asked)


async def raise_limit(http: httpx.AsyncClient, **asked: Any) -> httpx.Response:
    return await http.post("/v1/budgets/raise", json=asked)


async def test_health_is_answered_whatever_the_store_does(http: httpx.AsyncClient, service: Service) -> None:
    assert (await http.get("/readyz")).json() == (await http.get("/healthz")).json() == {"status": "ok"}
    service.store.away = True
    assert (await http.get("/healthz")).status_code == 200
    assert (await http.get("/readyz")).status_code == 503


async def test_the_list_holds_what_the_policy_spells_out_and_what_was_charged(
    http: httpx.AsyncClient, service: Service
) -> None:
    assert set(await used(http)) == {DBA, "default/limits/support", "default/limits/dollars"}
    await service.charge(7, team="dba", user="alice")
    assert (await used(http)) == {DBA: 7, USER: 7, "default/limits/support": 0, "default/limits/dollars": "0"}


async def test_the_list_says_whether_the_policy_as_it_stands_is_in_force(
    http: httpx.AsyncClient, service: Service, tmp_path: Path
) -> None:
    policy = (await http.get("/v1/budgets")).json()["policy"]
    assert policy == {"loaded_at": service.policy_file.loaded_at.isoformat(), "error": None}
    (tmp_path / "a.yaml").write_text("{broken")
    await service.policy_file.look()
    answer = (await http.get("/v1/budgets")).json()
    assert answer["policy"]["error"].startswith(f"{tmp_path / 'a.yaml'}: ")
    assert len(answer["budgets"]) == 3


async def test_a_reset_of_a_team_empties_every_budget_of_it_and_answers_what_they_were(
    http: httpx.AsyncClient, service: Service
) -> None:
    await service.charge(7, team="dba", user="alice")
    await service.charge(9, team="support", user="carol")
    answer = await reset(http, team="dba")
    assert {budget["id"]: budget["used"] for budget in answer.json()["reset"]} == {DBA: 7, USER: 7}
    left = await used(http)
    assert (left[DBA], left["default/limits/support"], left["default/limits/user/support/carol"]) == (0, 9, 9)


async def test_a_reset_of_a_budget_empties_that_one_alone(http: httpx.AsyncClient, service: Service) -> None:
    await service.charge(7, team="dba", user="alice")
    answer = await reset(http, budget=USER)
    assert [(budget["id"], budget["used"]) for budget in answer.json()["reset"]] == [(USER, 7)]
    assert (await used(http))[DBA] == 7


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (
            {"team": "ghost"},
            "No budget has team='ghost'. Teams with a budget: dba, support. "
            "Any other budget is reset by its id: budgets reset --budget ID.",
        ),
        (
            {"budget": "ghost"},
            "There is no budget 'ghost'. Budgets: default/limits/dba, default/limits/support, default/limits/dollars.",
        ),
    ],
)
async def test_a_reset_of_nothing_is_a_404_that_says_what_there_is(
    http: httpx.AsyncClient, asked: dict[str, str], sentence: str
) -> None:
    answer = await reset(http, **asked)
    assert answer.status_code == 404
    assert answer.json() == {"detail": sentence}


async def test_the_budgets_that_a_404_lists_are_some(tmp_path: Path) -> None:
    many = budget_document(*(entry(f"b{number}", {"team": f"t{number}"}) for number in range(30)))
    service = Service(tmp_path, {"a.yaml": many})
    async with client(create_app(service.overview, service.store, service.policy_file, service.metrics)) as http:
        told = (await reset(http, budget="ghost")).json()["detail"]
    assert told.endswith(" and 10 more.") and told.count("default/") == 20


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"team": "dba", "budget": DBA},
        {"team": None},
        {"team": ""},
        {"team": 5},
        {"team": "t" * 1025},
        {"team": "dba", "x": 1},
    ],
)
async def test_a_reset_that_names_no_one_thing_is_a_422_and_resets_nothing(
    http: httpx.AsyncClient, service: Service, asked: dict[str, Any]
) -> None:
    await service.charge(7, team="dba", user="alice")
    answer = await reset(http, **asked)
    assert answer.status_code == 422
    assert answer.json()["detail"]
    assert (await used(http))[DBA] == 7


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("path", ["/v1/budgets/reset", "/v1/budgets/raise"])
async def test_a_foreign_web_page_can_neither_reset_nor_raise(
    http: httpx.AsyncClient, service: Service, path: str, kind: str | None
) -> None:
    """A page may send these kinds of content to another origin without asking it first; JSON it may not."""
    await service.charge(7, team="dba", user="alice")
    asked = {"budget": DBA} | ({"limit": 500} if path.endswith("raise") else {})
    content = json.dumps(asked).encode()
    headers = {"origin": "https://evil.example"} | ({"content-type": kind} if kind else {})
    answer = await http.post(path, content=content, headers=headers)
    assert answer.status_code == 422
    assert (await http.post(path, params=asked)).status_code == 422
    (budget,) = (each for each in (await http.get("/v1/budgets")).json()["budgets"] if each["id"] == DBA)
    assert (budget["used"], budget["limit"]) == (7, 100)
    asks_first = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    assert "access-control-allow-origin" not in (await http.options(path, headers=asks_first)).headers


@pytest.mark.parametrize("limit", [500, "500", 20, 0])
async def test_a_limit_is_raised_or_lowered_for_some_windows(
    http: httpx.AsyncClient, service: Service, limit: int | str
) -> None:
    await service.charge(50, team="dba", user="alice")
    answer = await raise_limit(http, budget=DBA, limit=limit, windows=2)
    assert answer.status_code == 200
    assert answer.json()["until"] == "2026-11-23T00:00:00Z"
    raised = answer.json()["raised"]
    assert (raised["id"], raised["limit"], raised["used"]) == (DBA, int(limit), 50)
    assert raised["remaining"] == max(0, int(limit) - 50)
    service.now += 86_400
    assert (await limits(http))[DBA] == int(limit)
    service.now += 86_400
    assert (await limits(http))[DBA] == 100


async def limits(http: httpx.AsyncClient) -> dict[str, Any]:
    return {budget["id"]: budget["limit"] for budget in (await http.get("/v1/budgets")).json()["budgets"]}


async def test_a_raise_is_for_this_window_where_it_does_not_say_how_many(http: httpx.AsyncClient) -> None:
    assert (await raise_limit(http, budget=DBA, limit=500)).json()["until"] == "2026-11-22T00:00:00Z"


async def test_dollars_are_raised_to_a_millionth_of_one(http: httpx.AsyncClient) -> None:
    answer = await raise_limit(http, budget="default/limits/dollars", limit="7.250001")
    assert answer.json()["raised"]["limit"] == "7.250001"
    assert (await raise_limit(http, budget="default/limits/dollars", limit=9)).json()["raised"]["limit"] == "9"


async def test_a_wildcards_budget_can_be_raised_for_one_subject(http: httpx.AsyncClient, service: Service) -> None:
    await service.charge(1, team="dba", user="alice")
    await service.charge(1, team="dba", user="bob")
    assert (await raise_limit(http, budget=USER, limit=500)).status_code == 200
    told = await limits(http)
    assert (told[USER], told["default/limits/user/dba/bob"]) == (500, 100)


async def test_a_raise_of_an_unknown_budget_is_a_404_with_a_sentence(http: httpx.AsyncClient) -> None:
    answer = await raise_limit(http, budget="ghost", limit=1)
    assert answer.status_code == 404
    assert answer.json()["detail"].startswith("There is no budget 'ghost'. Budgets: default/limits/")


async def test_a_part_of_a_token_is_a_422_with_a_sentence(http: httpx.AsyncClient) -> None:
    answer = await raise_limit(http, budget=DBA, limit="1.5")
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        f"1.5 is no limit for {DBA}: write a number of whole tokens up to 4,294,967,295.",
    )


async def test_more_dollars_than_can_be_counted_are_a_422_with_a_sentence(http: httpx.AsyncClient) -> None:
    answer = await raise_limit(http, budget=DOLLARS, limit="9000000.000001")
    assert answer.status_code == 422
    assert answer.json()["detail"] == f"9000000.000001 is no limit for {DOLLARS}: write a number of dollars up to 9,000,000."


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": 1},
        {"budget": DBA},
        {"budget": DBA, "limit": -1},
        {"budget": DBA, "limit": 2**32},
        {"budget": DBA, "limit": 1.5},
        {"budget": DBA, "limit": True},
        {"budget": DBA, "limit": None},
        {"budget": DBA, "limit": "many"},
        {"budget": DBA, "limit": "-1"},
        {"budget": DBA, "limit": "1e9"},
        {"budget": DBA, "limit": "12345678901"},
        {"budget": DBA, "limit": "1.1234567"},
        {"budget": DBA, "limit": 1, "windows": 0},
        {"budget": DBA, "limit": 1, "windows": 367},
        {"budget": DBA, "limit": 1, "windows": True},
        {"budget": DBA, "limit": 1, "windows": "2"},
        {"budget": "", "limit": 1},
        {"budget": DBA, "limit": 1, "team": "dba"},
    ],
)
async def test_a_raise_that_is_wrong_is_a_422_and_raises_nothing(http: httpx.AsyncClient, asked: dict[str, Any]) -> None:
    answer = await raise_limit(http, **asked)
    assert answer.status_code == 422
    assert answer.json()["detail"]
    assert (await limits(http))[DBA] == 100


@pytest.mark.parametrize("limit", ["many", "-1", "1e9", "1.1234567", "", -1, 1.5, 2**32, True, None, [8000]])
async def test_what_is_no_number_is_answered_with_how_to_write_one(http: httpx.AsyncClient, limit: object) -> None:
    answer = await raise_limit(http, budget=DBA, limit=limit)
    assert (answer.status_code, answer.json()) == (422, {"detail": "Write the limit as a number, such as 8000 or 2.50."})


async def test_a_limit_that_is_left_out_is_said_to_be_missing(http: httpx.AsyncClient) -> None:
    assert (await raise_limit(http, budget=DBA)).json() == {"detail": "body.limit: Field required."}


@pytest.mark.parametrize(
    ("method", "path", "asked"),
    [
        ("GET", "/readyz", None),
        ("GET", "/v1/budgets", None),
        ("POST", "/v1/budgets/reset", {"team": "dba"}),
        ("POST", "/v1/budgets/raise", {"budget": DBA, "limit": 1}),
    ],
)
async def test_while_the_store_is_away_the_answer_is_a_503_that_names_the_variable(
    http: httpx.AsyncClient, service: Service, method: str, path: str, asked: dict[str, Any] | None
) -> None:
    service.store.away = True
    answer = await http.request(method, path, json=asked)
    assert answer.status_code == 503
    assert answer.json() == {"detail": "The store that BUDGETS_STORE names cannot be used: it stalls"}


async def samples(http: httpx.AsyncClient) -> dict[tuple[str, str], float]:
    answer = await http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.text)
    return {(each.name, each.labels.get("budget", "")): each.value for family in families for each in family.samples}


async def test_metrics_tell_how_the_budgets_that_the_policy_names_stand(http: httpx.AsyncClient, service: Service) -> None:
    await service.charge(40, team="dba", user="alice")
    await service.reserve(team="dba", user="alice")
    told = await samples(http)
    assert (told["budgets_used", DBA], told["budgets_limit", DBA], told["budgets_reserved", DBA]) == (40, 100, 10)
    assert told["budgets_remaining_ratio", DBA] == 0.5
    assert told["budgets_charges_total", DBA] == 1
    assert told["budgets_limit", "default/limits/dollars"] == 2.5
    assert "alice" not in (await http.get("/metrics")).text


async def test_metrics_go_on_while_the_store_is_away(http: httpx.AsyncClient, service: Service) -> None:
    await service.charge(40, team="dba", user="alice")
    service.store.away = True
    told = await samples(http)
    assert told["budgets_charges_total", DBA] == 1
    assert ("budgets_used", DBA) not in told
