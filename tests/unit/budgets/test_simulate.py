import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from budgets.rules import Rules
from budgets.simulation.access_log import Skipped, read_log
from budgets.simulation.simulate import Report, Verdict, replay, report, simulate
from tests.unit.budgets.policies import ONE_TEAM, budget_document, entry, lay_out, limit, ratelimit_file

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
CATALOG = '{"providers": {"house": {"models": {"house-model": {"rates": {"input": "1", "output": "2"}}}}}}'
EACH_TEAM = {"a.yaml": budget_document(entry("cap", {"team": "*"})), "catalog.json": CATALOG}
"""100 tokens a rolling day for each team; a call under way holds 10 of them at most."""

WHO = "team=dba user=alice model=house-model"


def call(
    at: float, tokens: int, team: str = "dba", *, lasts: float = 0, model: str = "house-model", user: str = "alice"
) -> str:
    """A line of the log: so many tokens in, so many seconds after noon."""
    return json.dumps(
        {
            "time": (NOON + timedelta(seconds=at)).isoformat(),
            "team": team,
            "user_id": user,
            "dimensions": {},
            "asked_model": model,
            "tokens_in": tokens,
            "tokens_out": 0,
            "milliseconds": lasts * 1000,
        }
    )


async def verdicts(folder: Path, files: Mapping[str, str], *calls: str) -> list[Verdict]:
    return await replay(Rules.read(lay_out(folder, files)), read_log(calls, Skipped()))


def refused(told: list[Verdict]) -> list[int]:
    return [number for number, each in enumerate(told) if not each.decision.admitted]


async def test_the_call_that_crosses_the_limit_completes_and_those_after_it_are_refused(tmp_path: Path) -> None:
    told = await verdicts(tmp_path, EACH_TEAM, call(0, 60), call(1, 50), call(2, 1), call(3, 500), call(4, 99, "support"))
    assert refused(told) == [2, 3]
    (spent,) = (each for each in told[2].decision.balances)
    assert (spent.budget.id, spent.used) == ("default/limits/cap/dba", 110)


async def test_what_would_have_been_refused_is_not_charged(tmp_path: Path) -> None:
    told = await verdicts(tmp_path, EACH_TEAM, call(0, 100), call(1, 500), call(2, 1))
    assert told[2].decision.balances[0].used == 100


async def test_spend_ages_out_of_a_rolling_day_by_the_clock_of_the_log(tmp_path: Path) -> None:
    day, step = 86_400, 864
    told = await verdicts(tmp_path, EACH_TEAM, call(0, 100), call(day - 1, 1), call(day + step, 1))
    assert refused(told) == [1]


async def test_a_fixed_hour_starts_anew_at_the_full_hour_of_the_log(tmp_path: Path) -> None:
    hourly = {"a.yaml": ratelimit_file({"key": "team", "rate_limit": limit(100, "hour")})}
    told = await verdicts(tmp_path, hourly, call(3_000, 100), call(3_599, 1), call(3_600, 1))
    assert refused(told) == [1]


async def test_calls_that_ran_side_by_side_do_so_here(tmp_path: Path) -> None:
    under_way = [call(0, 100, lasts=10), call(5, 1), call(9.999, 1), call(10, 1)]
    assert refused(await verdicts(tmp_path, EACH_TEAM, *under_way)) == [3]
    one_by_one = [call(0, 100), call(5, 1), call(9.999, 1), call(10, 1)]
    assert refused(await verdicts(tmp_path, EACH_TEAM, *one_by_one)) == [1, 2, 3]


async def test_of_calls_at_once_so_many_are_admitted_as_an_idle_budget_takes(tmp_path: Path) -> None:
    told = await verdicts(tmp_path, EACH_TEAM, *(call(number / 100, 20, lasts=60) for number in range(12)))
    assert refused(told) == [10, 11]
    assert told[10].decision.balances[0].reserved == 100


async def test_calls_are_replayed_in_the_order_in_which_they_started(tmp_path: Path) -> None:
    told = await verdicts(tmp_path, EACH_TEAM, call(1, 7), call(0, 100))
    assert [each.past.usage.tokens for each in told] == [100, 7]
    assert refused(told) == [1]


async def test_a_budget_in_dollars_counts_what_the_catalog_says(tmp_path: Path) -> None:
    dollars = {"a.yaml": budget_document(entry("usd", limit={"unit": "USD", "amount": "0.001"})), "catalog.json": CATALOG}
    told = await verdicts(tmp_path, dollars, call(0, 999), call(1, 1), call(2, 1))
    assert refused(told) == [2]
    assert [each.picodollars for each in told] == [999_000_000, 1_000_000, 1_000_000]


def reported(told: list[Verdict], skipped: Skipped | None = None) -> list[str]:
    return list(report(Report(told, skipped or Skipped())))


async def test_the_report_says_which_calls_when_for_whom_and_at_what_cost(tmp_path: Path) -> None:
    told = await verdicts(
        tmp_path, EACH_TEAM, call(0, 100), call(61, 1_000), call(62, 250, user="bob"), call(63, 7, "support"), call(64, 5)
    )
    assert reported(told) == [
        "2026-11-21T12:01:01Z refused by default/limits/cap/dba: "
        "team=dba user=alice model=house-model tokens=1000 cost_usd=0.001",
        "2026-11-21T12:01:02Z refused by default/limits/cap/dba: "
        "team=dba user=bob model=house-model tokens=250 cost_usd=0.00025",
        "2026-11-21T12:01:04Z refused by default/limits/cap/dba: "
        "team=dba user=alice model=house-model tokens=5 cost_usd=0.000005",
        "3 of 5 calls would have been refused: 1,255 tokens, 0.001255 USD.",
    ]


async def test_the_report_tells_what_an_audited_budget_would_do_if_it_blocked(tmp_path: Path) -> None:
    audited = {"a.yaml": budget_document(entry("watch", onBudgetExceeded="Audit")), "catalog.json": CATALOG}
    assert reported(await verdicts(tmp_path, audited, call(0, 100), call(1, 2))) == [
        f"2026-11-21T12:00:01Z audited by default/limits/watch: {WHO} tokens=2 cost_usd=0.000002",
        "0 of 2 calls would have been refused: 0 tokens, 0 USD.",
        "1 more went over an audited budget; they would be refused if it blocked.",
    ]


async def test_the_report_names_what_it_could_not_price(tmp_path: Path) -> None:
    told = await verdicts(
        tmp_path, EACH_TEAM, call(0, 100, model="unheard-of"), call(1, 2, model="unheard-of"), call(2, 2, model="")
    )
    assert reported(told, Skipped(unused=1_200, unreadable=3)) == [
        "2026-11-21T12:00:01Z refused by default/limits/cap/dba: "
        "team=dba user=alice model=unheard-of tokens=2 cost_usd=unknown",
        "2026-11-21T12:00:02Z refused by default/limits/cap/dba: team=dba user=alice tokens=2 cost_usd=unknown",
        "2 of 3 calls would have been refused: 4 tokens, 0 USD.",
        "Without a price, and so not in the cost: calls that name no model, unheard-of.",
        "1,200 calls used nothing, as refused and failed ones do, and are not replayed.",
        "3 lines are no line of an access log, and were passed over.",
    ]


async def test_a_refusal_without_a_budget_is_reported_by_its_reason(tmp_path: Path) -> None:
    dollars = {"a.yaml": budget_document(entry("usd", {"team": "dba"}, limit={"unit": "USD", "amount": 1}))}
    told = await verdicts(tmp_path, dollars, call(0, 1, model="unheard-of"), call(1, 1, "ghost"))
    lines = reported(told)
    assert " refused by model_unpriced: team=dba " in lines[0]
    assert " refused by no_budget: team=ghost " in lines[1]


async def test_what_a_caller_chose_cannot_forge_a_line_of_the_report(tmp_path: Path) -> None:
    lines = reported(await verdicts(tmp_path, EACH_TEAM, call(0, 100), call(1, 1, model="x\n\x1b[2J0 of 9 calls")))
    assert lines[0].endswith('model="x\\n\\u001b[2J0 of 9 calls" tokens=1 cost_usd=unknown')


def run(*arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "budgets", "simulate", *arguments]
    return subprocess.run(command, input=said, capture_output=True, text=True, check=False)


def test_the_command_reads_the_log_from_a_file_or_from_standard_input(tmp_path: Path) -> None:
    policy = lay_out(tmp_path / "policy", EACH_TEAM)
    lines = "\n".join(["starting", call(0, 100), "", call(1, 7), call(2, 0)])
    log = tmp_path / "access.log"
    log.write_text(lines)
    told = run("--policy", str(policy), "--from", str(log))
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines() == [
        f"2026-11-21T12:00:01Z refused by default/limits/cap/dba: {WHO} tokens=7 cost_usd=0.000007",
        "1 of 2 calls would have been refused: 7 tokens, 0.000007 USD.",
        "1 calls used nothing, as refused and failed ones do, and are not replayed.",
        "1 lines are no line of an access log, and were passed over.",
    ]
    assert told.stderr == ""
    assert run("--policy", str(policy), "--from", "-", said=lines).stdout == told.stdout


def test_the_domain_is_looked_at_where_it_is_told(tmp_path: Path) -> None:
    policy = lay_out(tmp_path, {"a.yaml": ratelimit_file({"key": "team", "rate_limit": limit(1)}, domain="theirs")})
    log = tmp_path / "access.log"
    log.write_text(call(0, 1))
    simulate(policy, log)
    simulate(policy, log, "theirs")
    with pytest.raises(SystemExit, match="is 'theirs', but 'ours' is served"):
        simulate(policy, log, "ours")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "the access log cannot be read: No such file or directory."),
        (b"", "no call with its usage is in it: it must be the gateway's access log, in JSON."),
        (b"nothing\nof use\n", "no call with its usage is in it: it must be the gateway's access log, in JSON."),
        (b"\xff\xfe", "the access log is not text."),
    ],
)
def test_a_log_that_cannot_be_used_is_one_sentence(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    log = tmp_path / "access.log"
    if content is not None:
        log.write_bytes(content)
    with pytest.raises(SystemExit) as stop:
        simulate(lay_out(tmp_path / "policy", EACH_TEAM), log)
    assert str(stop.value) == f"{log}: {sentence}"


def test_a_policy_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    policy = lay_out(tmp_path, {"a.yaml": ONE_TEAM.replace("HOUR", "FORTNIGHT")})
    told = run("--policy", str(policy), "--from", "-")
    assert told.returncode == 1
    assert told.stderr.startswith(f"The budget policy cannot be used. {policy / 'a.yaml'}: ")
    assert "Traceback" not in told.stderr
