"""The service as a process: its three ports, its command line, and the policy that it watches."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitResponse
from prometheus_client.parser import text_string_to_metric_families

from budgets.grpc_server import grpc_server
from runner.ports import Ports
from tests.integration.budgets.conftest import running_valkey
from tests.integration.budgets.services import Service, run, running_service
from tests.integration.budgets.stores import RunningValkey
from tests.unit.budgets.policies import (
    DAY_DBA,
    HOUR_DBA,
    TWO_WINDOWS,
    budget_document,
    enforcement,
    entry,
    key_policy,
    lay_out,
    secret,
    write,
)
from tests.waiting import until

pytestmark = pytest.mark.anyio

YEARS = TWO_WINDOWS.replace("HOUR", "YEAR").replace("DAY", "YEAR")

ALICE = {"team": "dba", "user": "alice", "model": "gpt-4o"}
PAID = {"team": "lab", "tier": "paid", "model": "mock"}
ALICE_S_KEY = "sk-alice-abc123def456"


def team_document(limit: int) -> str:
    tokens = entry("tokens", {"team": "*"}, limit={"unit": "Tokens", "amount": limit}, window={"unit": "Month"})
    dollars = entry("dollars", {"tier": "paid"}, limit={"unit": "USD", "amount": "1"}, window={"unit": "Month"})
    return budget_document(tokens, dollars, name="teams", namespace="platform")


def keys(**entries: str) -> str:
    return secret("keys", stringData=entries)


def catalog(**dollars_per_million: str) -> str:
    models = {model: {"rates": {"input": rate, "output": rate}} for model, rate in dollars_per_million.items()}
    return json.dumps({"providers": {"ours": {"models": models}}})


FOLDER = {
    "budgets.yaml": team_document(1000),
    "keys.yaml": keys(alice=ALICE_S_KEY),
    "source.yaml": key_policy({"secretRef": {"name": "keys"}}, name="source"),
    "catalog.json": catalog(mock="2.00"),
    "discovery.yaml": enforcement({"from": "All"}),
    "research/own.yaml": budget_document(entry("own", {"team": "research"}), name="own"),
}


@contextmanager
def a_file_in_place_of(folder: Path) -> Iterator[None]:
    folder.rename(folder.with_name("aside"))
    folder.touch()
    yield
    folder.unlink()


@pytest.fixture(scope="module")
async def store(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningValkey]:
    """One that the tests of this module stall."""
    async with running_valkey(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(scope="module")
async def of_a_file(store: RunningValkey, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    folder = tmp_path_factory.mktemp("file")
    async with running_service(store.url, write(folder, YEARS), folder / "in-force") as running:
        yield running


@pytest.fixture
async def service(of_a_file: Service) -> Service:
    """With nothing used and the policy as it was."""
    await of_a_file.put(YEARS)
    await of_a_file.forget()
    of_a_file.lines.clear()
    return of_a_file


@pytest.fixture(scope="module")
async def of_a_folder(store: RunningValkey, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with running_service(store.url, lay_out(tmp_path_factory.mktemp("policy"), FOLDER)) as running:
        yield running


@pytest.fixture
async def platform(of_a_folder: Service) -> Service:
    """The same over a folder of documents."""
    for name, text in FOLDER.items():
        await of_a_folder.put(text, name)
    await of_a_folder.forget()
    of_a_folder.lines.clear()
    return of_a_folder


async def test_a_check_answers_with_the_tightest_budget_and_a_charge_moves_it(service: Service) -> None:
    answer = await service.call(HOUR_DBA, DAY_DBA, hits=0)
    assert answer.overall_code == RateLimitResponse.OK
    assert [status.limit_remaining for status in answer.statuses] == [5_000, 50_000]
    await service.call(HOUR_DBA, DAY_DBA, hits=4_000)
    headers = {each.key: each.value for each in (await service.call(HOUR_DBA, DAY_DBA, hits=0)).response_headers_to_add}
    assert (headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"]) == ("5000", "1000")


async def test_a_spent_budget_is_refused_with_the_body_of_the_contract(service: Service) -> None:
    await service.call(HOUR_DBA, hits=5_012)
    answer = await service.call(HOUR_DBA, DAY_DBA, hits=0)
    assert answer.overall_code == RateLimitResponse.OVER_LIMIT
    budget = json.loads(answer.raw_body)["error"]["budget"]
    assert (budget["used"], budget["limit"], budget["subject"]) == (5_012, 5_000, {"team": "dba"})
    assert [status.code for status in answer.statuses] == [RateLimitResponse.OVER_LIMIT, RateLimitResponse.OK]


async def test_a_charge_with_a_request_id_counts_once_and_the_id_is_no_part_of_the_descriptor(service: Service) -> None:
    for _ in range(2):
        await service.call((*HOUR_DBA, ("request_id", "abc")), hits=70)
    assert sum(await service.used()) == 70


async def test_a_call_that_is_described_falls_under_every_budget_that_rate_limits_ask_for(service: Service) -> None:
    await service.check(ALICE, "one")
    await service.charge(ALICE, "one", input=30, output=40)
    assert sorted(await service.used()) == [70, 70]


@pytest.mark.parametrize(
    ("descriptors", "hits", "domain"),
    [((), 0, None), ((HOUR_DBA,), 0, "other"), ((HOUR_DBA,), None, None), ((HOUR_DBA,), 2**32, None)],
    ids=["no descriptor", "another domain", "no hits", "more than a uint32"],
)
async def test_a_malformed_call_is_refused_and_touches_no_budget(
    service: Service, descriptors: tuple[tuple[tuple[str, str], ...], ...], hits: int | None, domain: str | None
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await service.call(*descriptors, hits=hits, domain=domain)
    assert refusal.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "Traceback" not in str(refusal.value.details())
    await service.says(str(refusal.value.details()))
    assert not any(await service.used())


async def test_counters_survive_a_kill_of_the_service(service: Service) -> None:
    await service.call(HOUR_DBA, hits=123)
    os.kill(service.supervisor.pid_of("budgets"), signal.SIGKILL)
    await until(lambda: "budgets is back" in service.lines, "the restart")
    assert sum(await service.used()) == 123


async def test_without_its_store_it_is_alive_but_not_ready_and_refuses_and_says_why(
    service: Service, store: RunningValkey
) -> None:
    store.send(signal.SIGSTOP)
    try:
        assert (await service.http.get("/healthz")).status_code == 200
        not_ready = await service.http.get("/readyz")
        assert (not_ready.status_code, not_ready.json()["detail"].partition(":")[0]) == (
            503,
            "The store that BUDGETS_STORE names cannot be used",
        )
        assert (await service.balance.get("/v1/budget", headers={"x-team-id": "dba"})).status_code == 503
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await service.call(HOUR_DBA, hits=0)
        assert refusal.value.code() == grpc.StatusCode.UNAVAILABLE
        await service.says("the store that BUDGETS_STORE names cannot be used: no answer within 0.5 s")
    finally:
        store.send(signal.SIGCONT)
    await service.call(HOUR_DBA, hits=0)
    await service.says("the store can be used again")


async def test_a_good_edit_is_taken_up_and_a_bad_one_keeps_the_last_good_policy(service: Service) -> None:
    async def limit() -> int:
        return int((await service.call(HOUR_DBA, hits=0)).statuses[0].current_limit.requests_per_unit)

    async def says_why() -> bool:
        return "unknown unit 'EON'" in ((await service.http.get("/v1/budgets")).json()["policy"]["error"] or "")

    await service.put(YEARS.replace("5000,", "6000,"))
    assert await limit() == 6_000
    service.policy.write_text(YEARS.replace("YEAR", "EON"))
    await until(says_why, "the error in the status")
    assert await limit() == 6_000
    assert any("kept the last good policy" in line and "unknown unit 'EON'" in line for line in service.lines)
    assert "is not in force" in (await service.command("status"))[1]
    service.policy.unlink()
    await service.says("cannot be read")
    assert await limit() == 6_000
    await service.put(YEARS)
    assert await limit() == 5_000


async def test_a_restart_goes_on_with_the_policy_in_force_when_the_file_has_become_wrong(service: Service) -> None:
    await service.put(YEARS.replace("5000,", "6000,"))
    service.policy.write_text(YEARS.replace("YEAR", "EON"))
    os.kill(service.supervisor.pid_of("budgets"), signal.SIGKILL)
    await until(lambda: "budgets is back" in service.lines, "the restart")
    answer = await service.call(HOUR_DBA, hits=0)
    assert answer.statuses[0].current_limit.requests_per_unit == 6_000
    assert "unknown unit 'EON'" in (await service.http.get("/v1/budgets")).json()["policy"]["error"]


async def test_a_copy_that_cannot_be_written_is_told_and_the_policy_taken_up_all_the_same(service: Service) -> None:
    with a_file_in_place_of(Path(service.environment["BUDGETS_IN_FORCE"])):
        await service.put(YEARS.replace("5000,", "6000,"))
    assert any("which BUDGETS_IN_FORCE names, cannot be written" in line for line in service.lines)
    answer = await service.call(HOUR_DBA, hits=0)
    assert answer.statuses[0].current_limit.requests_per_unit == 6_000


async def test_an_edit_of_rate_limits_is_taken_up_live(service: Service) -> None:
    """Whatever they ask for, the gateway describes a call as before."""
    daily = YEARS.replace("value: day", "value: daily").replace("Value: day", "Value: daily")
    await service.put(daily.replace("50000", "60000"))
    answer = await service.call((("window", "daily"), ("team", "dba")), hits=0)
    assert answer.statuses[0].current_limit.requests_per_unit == 60_000
    await service.charge(ALICE, "one", input=70)
    assert sorted(await service.used()) == [70, 70]


async def test_a_file_that_stops_asking_for_a_budget_stops_charging_it(service: Service) -> None:
    asked_for, _, hour_alone = YEARS.partition("      - key: window\n        value: day\n")
    without_the_day = hour_alone[hour_alone.index("    rateLimits:") : hour_alone.rindex("      - actions:")]
    await service.put(asked_for + without_the_day)
    await service.charge(ALICE, "one", input=70)
    assert await service.used() == [70]


async def test_status_and_reset_on_the_command_line_which_goes_through_no_proxy(service: Service) -> None:
    await service.call(HOUR_DBA, hits=5_012)
    no_proxy = "http://127.0.0.1:9"
    code, out, _ = await service.command("status", http_proxy=no_proxy, HTTP_PROXY=no_proxy)
    head, *rows = out.splitlines()
    assert head.split()[:6] == ["budget", "used", "reserved", "limit", "remaining", "unit"]
    row = next(row for row in rows if "5,012" in row)
    assert (code, row.split()[1:6]) == (0, ["5,012", "0", "5,000", "0", "tokens"])
    code, out, _ = await service.command("reset", "dba")
    assert (code, "team-token-budget/dba/year: 5,012 -> 0 of 5,000 tokens" in out) == (0, True)
    assert not any(await service.used())


async def test_a_foreign_web_page_cannot_reset_a_budget(service: Service) -> None:
    """What a page may send unasked is a form or plain text, and neither is JSON."""
    await service.call(HOUR_DBA, hits=70)
    for content_type in ("text/plain", "application/x-www-form-urlencoded"):
        answer = await service.http.post(
            "/v1/budgets/reset?team=dba", content=b'{"team": "dba"}', headers={"content-type": content_type}
        )
        assert answer.status_code == 422
    assert sum(await service.used()) == 70


async def test_a_reset_of_an_unknown_team_says_which_there_are(service: Service) -> None:
    code, _, err = await service.command("reset", "nobody")
    assert (code, err) == (
        1,
        "The budget service answered 404: No budget has team='nobody'. Teams with a budget: dba. "
        "Any other budget is reset by its id: budgets reset --budget ID.\n",
    )


async def test_a_command_that_finds_no_service_says_so() -> None:
    with Ports() as ports:
        code, _, err = await run("budgets", "status", "--url", f"http://127.0.0.1:{ports.take()}", environment={})
    assert code == 1
    assert err.startswith("No budget service answers at http://127.0.0.1:")
    assert "Traceback" not in err


async def test_a_wrong_policy_stops_the_start_in_one_sentence(service: Service, tmp_path: Path) -> None:
    wrong = write(tmp_path, YEARS.replace("requestsPerUnit: 5000", "requestsPerUnit: -5"))
    first_start = service.environment | {"BUDGETS_POLICY": os.fspath(wrong), "BUDGETS_IN_FORCE": ""}
    code, _, err = await run("budgets", environment=first_start)
    assert code == 1
    assert err == (
        f"The budget policy cannot be used. {wrong}: spec.raw.descriptors[0].descriptors[0].rateLimit.requestsPerUnit: "
        "Input should be greater than or equal to 0\n"
    )


PORTS = ("BUDGETS_GRPC_PORT", "BUDGETS_HTTP_PORT", "BUDGETS_BALANCE_PORT")


async def test_each_port_that_is_taken_is_named(service: Service) -> None:
    with Ports() as ports:
        outcomes = await asyncio.gather(
            *(
                run("budgets", environment=service.environment | {each: str(ports.take()) for each in PORTS if each != taken})
                for taken in PORTS
            )
        )
    for variable, (code, _, err) in zip(PORTS, outcomes, strict=True):
        assert (code, "Traceback" in err) == (1, False)
        assert f"127.0.0.1:{service.environment[variable]}: the port is in use. Set {variable}" in err


async def test_it_listens_on_an_address_of_ipv6_too() -> None:
    with Ports() as ports:
        port = ports.take()
        server = grpc_server([], "::1", port)
        await server.start()
        try:
            _, connection = await asyncio.open_connection("::1", port)
            connection.close()
            await connection.wait_closed()
        finally:
            await server.stop(None)


async def test_a_policy_is_checked_on_the_command_line(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(TWO_WINDOWS.replace("DAY", "EON"), encoding="utf-8")
    files = (write(tmp_path, TWO_WINDOWS), wrong)
    checks = (run("budgets", "check", os.fspath(file), environment={}) for file in files)
    (code, out, _), (code_of_wrong, _, err_of_wrong) = await asyncio.gather(*checks)
    assert (code, out.splitlines()) == (
        0,
        [
            "team-token-budget/dba/hour (team=dba): 5,000 tokens a calendar hour",
            "team-token-budget/dba/day (team=dba): 50,000 tokens a calendar day",
            "team-token-budget/*/day (team=*): 100 tokens a calendar day",
        ],
    )
    assert (code_of_wrong, err_of_wrong.count("\n"), "unknown unit 'EON'" in err_of_wrong) == (1, 1, True)


async def test_a_past_day_is_simulated_on_the_command_line(tmp_path: Path) -> None:
    policy = write(tmp_path, budget_document(entry("day", {"team": "dba"}), name="limits"))
    log = tmp_path / "access.log"
    alice = {"team": "dba", "user_id": "alice", "asked_model": "gpt-4o", "dimensions": {}, "tokens_in": 60, "tokens_out": 0}
    calls = [{"time": f"2026-11-20T0{hour}:00:00Z", **alice} for hour in range(3)]
    log.write_text("".join(json.dumps(call) + "\n" for call in calls), encoding="utf-8")
    words = ("simulate", "--policy", os.fspath(policy), "--from", os.fspath(log))
    code, out, err = await run("budgets", *words, environment={})
    refused, summary = out.splitlines()
    assert (code, err) == (0, "")
    assert refused.startswith("2026-11-20T02:00:00Z refused by default/limits/day: team=dba user=alice")
    assert summary.startswith("1 of 3 calls would have been refused: 60 tokens")


async def test_a_limit_is_raised_and_lowered_on_the_command_line(platform: Service) -> None:
    await platform.charge({"team": "raised"}, "one", input=1_000)
    budget = "platform/teams/tokens/raised"
    assert (await platform.check({"team": "raised"}, "two")).overall_code == RateLimitResponse.OVER_LIMIT
    code, out, _ = await platform.command("raise", budget, "2500", "--windows", "2")
    assert (code, out.startswith(f"{budget}: 2,500 tokens until 20")) == (0, True)
    assert (await platform.check({"team": "raised"}, "three")).overall_code == RateLimitResponse.OK
    assert (await platform.command("raise", budget, "999"))[0] == 0
    assert (await platform.check({"team": "raised"}, "four")).overall_code == RateLimitResponse.OVER_LIMIT


async def test_one_budget_is_reset_on_the_command_line(platform: Service) -> None:
    await platform.charge(PAID, "one", input=70)
    await platform.charge({"team": "ops"}, "two", input=70)
    code, out, _ = await platform.command("reset", "--budget", "platform/teams/tokens/lab")
    assert (code, out) == (0, "platform/teams/tokens/lab: 70 -> 0 of 1,000 tokens\n")
    used = {budget: each["used"] for budget, each in (await platform.budgets()).items()}
    assert used == {
        "platform/teams/dollars": "0.00014",
        "platform/teams/tokens/lab": 0,
        "platform/teams/tokens/ops": 70,
        "research/own/own": 0,
    }


async def test_each_subfolder_is_a_namespace_whose_budgets_come_on_top(platform: Service) -> None:
    await platform.charge({"team": "research"}, "one", input=100)
    answer = await platform.check({"team": "research"}, "two")
    assert json.loads(answer.raw_body)["error"]["budget"]["id"] == "research/own/own"
    assert (await platform.budgets())["platform/teams/tokens/research"]["used"] == 100


async def test_a_limit_in_a_folder_is_raised_and_lowered_by_an_edit(platform: Service) -> None:
    await platform.charge(ALICE, "one", input=1_000)
    assert (await platform.check(ALICE, "two")).overall_code == RateLimitResponse.OVER_LIMIT
    await platform.put(team_document(2_000), "budgets.yaml")
    assert (await platform.check(ALICE, "three")).overall_code == RateLimitResponse.OK
    await platform.put(team_document(900), "budgets.yaml")
    assert (await platform.check(ALICE, "four")).overall_code == RateLimitResponse.OVER_LIMIT


async def test_a_model_is_priced_by_an_edit_of_the_catalog(platform: Service) -> None:
    paid = {**PAID, "model": "newest"}
    refusal = await platform.check(paid, "one")
    assert json.loads(refusal.raw_body)["error"]["code"] == "model_unpriced"
    await platform.put(catalog(mock="2.00", newest="5.00"), "catalog.json")
    assert (await platform.check(paid, "two")).overall_code == RateLimitResponse.OK
    await platform.charge(paid, "two", input=100)
    assert (await platform.budgets())["platform/teams/dollars"]["used"] == "0.0005"


async def test_a_key_is_added_and_withdrawn_by_an_edit_of_the_secret(platform: Service) -> None:
    bob_s_key = "sk-bob-abc123def456"
    assert (await platform.authorize(ALICE_S_KEY)).WhichOneof("http_response") == "ok_response"
    assert (await platform.authorize(bob_s_key)).denied_response.status.code == 401
    await platform.put(keys(bob=bob_s_key), "keys.yaml")
    stamped = (await platform.authorize(bob_s_key)).ok_response.headers
    assert ("x-user-id", "bob") in [(each.header.key, each.header.value) for each in stamped]
    assert (await platform.authorize(ALICE_S_KEY)).denied_response.status.code == 401
    assert not any(key in line for line in platform.lines for key in (ALICE_S_KEY, bob_s_key))


async def test_a_caller_reads_its_own_budgets_and_nobody_else_s(platform: Service) -> None:
    await platform.charge(PAID, "one", input=70)
    await platform.charge({"team": "ops"}, "two", input=70)
    headers = {"x-team-id": "lab", "x-user-id": "alice", "x-dimension-tier": "paid", "x-team": "ops"}
    answer = (await platform.balance.get("/v1/budget", headers=headers)).json()
    assert answer["subject"] == {"team": "lab", "user": "alice", "tier": "paid"}
    assert [(budget["id"], budget["used"]) for budget in answer["budgets"]] == [
        ("platform/teams/tokens/lab", 70),
        ("platform/teams/dollars", "0.00014"),
    ]
    assert (await platform.balance.get("/v1/budget")).json() == {"subject": {}, "budgets": []}


async def test_the_callers_port_serves_nothing_of_the_operators_and_the_other_way_round(platform: Service) -> None:
    for path in ("/v1/budgets", "/metrics", "/readyz", "/openapi.json"):
        assert (await platform.balance.get(path)).status_code == 404
    assert (await platform.balance.post("/v1/budgets/reset", json={"team": "dba"})).status_code == 404
    assert (await platform.http.get("/v1/budget")).status_code == 404


async def test_metrics_are_what_prometheus_reads_and_name_no_user(platform: Service) -> None:
    user = {**PAID, "user": "alice-whom-no-metric-names"}
    await platform.check(user, "one")
    await platform.charge(user, "one", input=60, output=40)
    await platform.charge({"team": "ops"}, "two", input=1_000)
    await platform.check({"team": "ops", "user": "alice-whom-no-metric-names"}, "three")
    answer = await platform.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert "alice-whom-no-metric-names" not in answer.text
    assert samples["budgets_cost_usd_total", ("model", "mock"), ("team", "lab")] >= 0.0002
    spent = (("budget", "platform/teams/tokens"), ("reason", "budget_exhausted"), ("team", "ops"))
    assert samples["budgets_refusals_total", *spent] == 1
    dollars = (("budget", "platform/teams/dollars"), ("team", ""), ("unit", "usd"))
    assert samples["budgets_used", *dollars] == pytest.approx(0.0002)
    assert samples["budgets_limit", *dollars] == 1


@pytest.mark.parametrize("gateway", ["waits", "has given up"])
async def test_a_charge_under_way_is_not_lost_by_a_stop(store: RunningValkey, tmp_path: Path, gateway: str) -> None:
    domain = f"stopped-{gateway}".replace(" ", "-")
    async with running_service(store.url, write(tmp_path, YEARS), BUDGETS_DOMAIN=domain) as stopped:
        store.send(signal.SIGSTOP)
        try:
            charging = asyncio.create_task(stopped.call(HOUR_DBA, hits=70))
            await stopped.says("the store that BUDGETS_STORE names cannot be used")
            if gateway == "has given up":
                charging.cancel()
            stopping = asyncio.create_task(stopped.supervisor.stop())
            await asyncio.wait({stopping}, timeout=0.5)
        finally:
            store.send(signal.SIGCONT)
        async with asyncio.timeout(5):
            await asyncio.gather(stopping, charging, return_exceptions=True)
        assert not any("SIGKILL" in line or "charge lost" in line for line in stopped.lines)
    async with running_service(store.url, write(tmp_path, YEARS), BUDGETS_DOMAIN=domain) as anew:
        assert sum(await anew.used()) == 70


async def test_a_stop_does_not_wait_for_a_store_that_stays_away_and_says_what_is_lost(
    store: RunningValkey, tmp_path: Path
) -> None:
    async with running_service(store.url, write(tmp_path, YEARS), BUDGETS_DOMAIN="lost") as stopped:
        store.send(signal.SIGSTOP)
        try:
            charging = asyncio.create_task(stopped.call((*HOUR_DBA, ("request_id", "lost")), hits=40))
            await stopped.says("the store that BUDGETS_STORE names cannot be used")
            await stopped.supervisor.stop()
        finally:
            store.send(signal.SIGCONT)
        with pytest.raises(grpc.aio.AioRpcError):
            await charging
        assert not any("SIGKILL" in line for line in stopped.lines)
        (said,) = [line for line in stopped.lines if "charge lost" in line]
        assert "request=lost amounts={'team-token-budget/dba/year': 40}: the service stops" in said
