"""The service as a process: its gRPC port, its HTTP port, its command line, and the policy file it watches."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import httpx
import pytest
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitRequest, RateLimitResponse
from google.protobuf.json_format import ParseDict

from budgets.ratelimit import SERVICE
from runner.health import http_ok
from runner.ports import Ports
from runner.process import Program
from runner.supervisor import Supervisor
from tests.integration.budgets.stores import RunningValkey
from tests.unit.budgets.policies import DAY_DBA, HOUR_DBA, TWO_WINDOWS, write
from tests.waiting import until

pytestmark = pytest.mark.anyio

YEARS = TWO_WINDOWS.replace("HOUR", "YEAR").replace("DAY", "YEAR")


@dataclass
class Service:
    environment: dict[str, str]
    policy_file: Path
    supervisor: Supervisor
    channel: grpc.aio.Channel
    http: httpx.AsyncClient
    lines: list[str] = field(default_factory=list)

    async def call(
        self, *descriptors: tuple[tuple[str, str], ...], hits: int | None, domain: str = "test"
    ) -> RateLimitResponse:
        asked = [
            {"entries": [{"key": key, "value": value} for key, value in entries]}
            | ({} if hits is None else {"hitsAddend": str(hits)})
            for entries in descriptors
        ]
        method = self.channel.unary_unary(
            f"/{SERVICE}/ShouldRateLimit",
            request_serializer=RateLimitRequest.SerializeToString,
            response_deserializer=RateLimitResponse.FromString,
        )
        answer: RateLimitResponse = await method(
            ParseDict({"domain": domain, "descriptors": asked}, RateLimitRequest()), timeout=20, wait_for_ready=True
        )
        return answer

    async def used(self) -> list[int]:
        return [budget["used"] for budget in (await self.http.get("/v1/budgets")).json()["budgets"]]

    async def command(self, *words: str, **environment: str) -> tuple[int, str, str]:
        return await run("budgets", *words, environment={"BUDGETS_URL": str(self.http.base_url)} | environment)


async def run(*words: str, environment: dict[str, str]) -> tuple[int, str, str]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *words, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await child.communicate()
    assert child.returncode is not None
    return child.returncode, out.decode(), err.decode()


@pytest.fixture
async def service(valkey: RunningValkey, tmp_path: Path) -> AsyncIterator[Service]:
    policy_file = write(tmp_path, YEARS)
    lines: list[str] = []
    with Ports() as ports:
        http_port, grpc_port = ports.take(), ports.take()
        environment = {
            "BUDGETS_STORE": valkey.url,
            "BUDGETS_POLICY": os.fspath(policy_file),
            "BUDGETS_DOMAIN": "test",
            "BUDGETS_IN_FORCE": os.fspath(tmp_path / "in-force.yaml"),
            "BUDGETS_HTTP_PORT": str(http_port),
            "BUDGETS_GRPC_PORT": str(grpc_port),
        }
        url = f"http://127.0.0.1:{http_port}"
        program = Program("budgets", (sys.executable, "-m", "budgets"), environment, http_ok(f"{url}/readyz"))
        async with (
            Supervisor(lambda _, line: lines.append(line), lines.append) as supervisor,
            grpc.aio.insecure_channel(f"127.0.0.1:{grpc_port}") as channel,
            httpx.AsyncClient(base_url=url) as http,
        ):
            await supervisor.start(program)
            yield Service(environment, policy_file, supervisor, channel, http, lines)


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


@pytest.mark.parametrize(
    ("descriptors", "hits", "domain"),
    [((), 0, "test"), ((HOUR_DBA,), 0, "other"), ((HOUR_DBA,), None, "test"), ((HOUR_DBA,), 2**32, "test")],
    ids=["no descriptor", "another domain", "no hits", "more than a uint32"],
)
async def test_a_malformed_call_is_refused_and_touches_no_budget(
    service: Service, descriptors: tuple[tuple[tuple[str, str], ...], ...], hits: int | None, domain: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await service.call(*descriptors, hits=hits, domain=domain)
    assert refusal.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "Traceback" not in str(refusal.value.details())
    await until(lambda: any(str(refusal.value.details()) in line for line in service.lines), "the reason in the log")
    assert not any(await service.used())


async def test_counters_survive_a_kill_of_the_service(service: Service) -> None:
    await service.call(HOUR_DBA, hits=123)
    os.kill(service.supervisor.pid_of("budgets"), signal.SIGKILL)
    await until(lambda: "budgets is back" in service.lines, "the restart")
    assert sum(await service.used()) == 123


async def test_without_its_store_it_is_alive_but_not_ready_and_refuses(service: Service, valkey: RunningValkey) -> None:
    valkey.send(signal.SIGSTOP)
    try:
        assert (await service.http.get("/healthz")).status_code == 200
        assert (await service.http.get("/readyz")).status_code == 503
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await service.call(HOUR_DBA, hits=0)
        assert refusal.value.code() == grpc.StatusCode.UNAVAILABLE
    finally:
        valkey.send(signal.SIGCONT)


async def test_a_good_edit_is_taken_up_and_a_bad_one_keeps_the_last_good_policy(service: Service) -> None:
    async def limit() -> int:
        return int((await service.call(HOUR_DBA, hits=0)).statuses[0].current_limit.requests_per_unit)

    async def is_raised() -> bool:
        return await limit() == 6_000

    async def says_why() -> bool:
        return "unknown unit 'EON'" in ((await service.http.get("/v1/budgets")).json()["policy"]["error"] or "")

    service.policy_file.write_text(YEARS.replace("5000,", "6000,"))
    await until(is_raised, "the raised limit")
    service.policy_file.write_text(YEARS.replace("YEAR", "EON"))
    await until(says_why, "the error in the status")
    assert await limit() == 6_000
    assert any("kept the last good policy" in line and "unknown unit 'EON'" in line for line in service.lines)
    assert "is not in force" in (await service.command("status"))[1]
    service.policy_file.unlink()
    await until(lambda: any("cannot be read" in line for line in service.lines), "the missing file to be said")
    assert await limit() == 6_000
    service.policy_file.write_text(YEARS)

    async def is_back() -> bool:
        return await limit() == 5_000

    await until(is_back, "the mended policy")


async def test_a_restart_goes_on_with_the_policy_in_force_when_the_file_has_become_wrong(service: Service) -> None:
    service.policy_file.write_text(YEARS.replace("5000,", "6000,"))
    await until(lambda: any("took up the policy" in line for line in service.lines), "the changed policy")
    service.policy_file.write_text(YEARS.replace("YEAR", "EON"))
    os.kill(service.supervisor.pid_of("budgets"), signal.SIGKILL)
    await until(lambda: "budgets is back" in service.lines, "the restart")
    answer = await service.call(HOUR_DBA, hits=0)
    assert answer.statuses[0].current_limit.requests_per_unit == 6_000
    assert "unknown unit 'EON'" in (await service.http.get("/v1/budgets")).json()["policy"]["error"]


async def test_a_copy_that_cannot_be_written_is_told_and_the_policy_taken_up_all_the_same(
    service: Service, tmp_path: Path
) -> None:
    (tmp_path / "in-force.yaml").unlink()
    (tmp_path / "in-force.yaml").mkdir()
    service.policy_file.write_text(YEARS.replace("5000,", "6000,"))
    await until(lambda: any("which BUDGETS_IN_FORCE names, cannot be written" in line for line in service.lines), "the trouble")
    answer = await service.call(HOUR_DBA, hits=0)
    assert answer.statuses[0].current_limit.requests_per_unit == 6_000


async def test_an_edit_of_what_the_gateway_asks_is_not_taken_up_by_half(service: Service) -> None:
    service.policy_file.write_text(YEARS.replace("value: day", "value: daily").replace("Value: day", "Value: daily"))
    reason = "spec.raw.rateLimits: have changed, but the gateway asks as before; start the whole system again to use them"
    await until(lambda: any(reason in line for line in service.lines), reason)
    answer = await service.call(DAY_DBA, hits=0)
    assert answer.statuses[0].current_limit.requests_per_unit == 50_000


async def test_status_and_reset_on_the_command_line(service: Service) -> None:
    await service.call(HOUR_DBA, hits=5_012)
    code, out, _ = await service.command("status")
    row = next(line for line in out.splitlines() if "5,012" in line)
    assert (code, row.split()[1:4]) == (0, ["5,012", "5,000", "0"])
    code, out, _ = await service.command("reset", "dba")
    assert (code, "team-token-budget/dba/year: 5,012 -> 0 of 5,000 tokens" in out) == (0, True)
    assert not any(await service.used())


async def test_the_command_line_talks_to_the_service_and_to_no_proxy(service: Service) -> None:
    code, _, err = await service.command("status", http_proxy="http://127.0.0.1:9", HTTP_PROXY="http://127.0.0.1:9")
    assert (code, err) == (0, "")


async def test_a_foreign_web_page_cannot_reset_a_budget(service: Service) -> None:
    """What a page may send unasked is a form or plain text, and neither is JSON."""
    await service.call(HOUR_DBA, hits=70)
    for content_type in ("text/plain", "application/x-www-form-urlencoded"):
        answer = await service.http.post(
            "/v1/budgets/reset?team=dba", content=b'{"team": "dba"}', headers={"content-type": content_type}
        )
        assert answer.status_code == 422
    assert sum(await service.used()) == 70


async def test_a_store_that_cannot_be_used_is_told_with_its_reason(service: Service, valkey: RunningValkey) -> None:
    valkey.send(signal.SIGSTOP)
    try:
        with pytest.raises(grpc.aio.AioRpcError):
            await service.call(HOUR_DBA, hits=0)
        begun = "the store that BUDGETS_STORE names cannot be used, so every call is refused: Timeout"
        await until(lambda: any(begun in line for line in service.lines), begun)
    finally:
        valkey.send(signal.SIGCONT)
    await service.call(HOUR_DBA, hits=0)
    await until(lambda: any("the store can be used again" in line for line in service.lines), "the end of it")


async def test_a_reset_of_an_unknown_team_says_which_there_are(service: Service) -> None:
    code, _, err = await service.command("reset", "nobody")
    assert (code, err) == (
        1,
        "The budget service answered 404: No budget has team='nobody'. Teams with a budget: dba.\n",
    )


async def test_a_command_that_finds_no_service_says_so() -> None:
    with Ports() as ports:
        code, _, err = await run("budgets", "status", "--url", f"http://127.0.0.1:{ports.take()}", environment={})
    assert code == 1
    assert err.startswith("No budget service answers at http://127.0.0.1:")
    assert "Traceback" not in err


async def test_a_wrong_policy_stops_the_start_in_one_sentence(service: Service, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(YEARS.replace("requestsPerUnit: 5000", "requestsPerUnit: -5"))
    first_start = service.environment | {"BUDGETS_POLICY": os.fspath(wrong), "BUDGETS_IN_FORCE": ""}
    code, _, err = await run("budgets", environment=first_start)
    assert code == 1
    assert err == (
        f"The budget policy cannot be used. {wrong}: spec.raw.descriptors[0].descriptors[0].rateLimit.requestsPerUnit: "
        "Input should be greater than or equal to 0\n"
    )


@pytest.mark.parametrize("taken", ["BUDGETS_GRPC_PORT", "BUDGETS_HTTP_PORT"])
async def test_a_taken_port_is_named(service: Service, taken: str) -> None:
    with Ports() as ports:
        free = {"BUDGETS_GRPC_PORT": str(ports.take()), "BUDGETS_HTTP_PORT": str(ports.take())}
        environment = service.environment | free | {taken: service.environment[taken]}
        code, _, err = await run("budgets", environment=environment)
    assert code == 1
    assert f"127.0.0.1:{service.environment[taken]}: the port is in use. Set {taken}" in err
    assert "Traceback" not in err


async def test_a_good_policy_is_checked_on_the_command_line(tmp_path: Path) -> None:
    code, out, _ = await run("budgets", "check", os.fspath(write(tmp_path, TWO_WINDOWS)), environment={})
    assert (code, out) == (0, "team-token-budget/dba/hour: 5,000 tokens\nteam-token-budget/dba/day: 50,000 tokens\n")
