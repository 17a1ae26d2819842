"""The log that the real gateway writes is one that `budgets simulate` reads."""

import httpx
import pytest

from budgets.rules import Rules
from budgets.simulation.access_log import Skipped, read_log
from budgets.simulation.simulate import replay
from tests.systems import Running, policy
from tests.waiting import until

pytestmark = pytest.mark.anyio


async def test_a_past_call_is_replayed_for_the_team_that_made_it(gateway: Running, http: httpx.AsyncClient) -> None:
    spent = 0
    for _ in range(3):
        spent += (await gateway.chat(http, "replay-user")).json()["usage"]["total_tokens"]

    def lines() -> list[str]:
        return [line for name, line in gateway.lines if name == "gateway" and '"team":"replay"' in line.replace(" ", "")]

    await until(lambda: len(lines()) >= 3, "three lines of the access log")
    tight = gateway.folder / "tight.yaml"
    tight.write_text(policy(replay=(1, 10_000_000)), encoding="utf-8")
    told = await replay(Rules.read(tight), read_log(lines(), Skipped()))
    assert [each.decision.admitted for each in told] == [True, False, False]
    assert {each.past.dimensions["team"] for each in told} == {"replay"}
    assert {each.past.dimensions["user"] for each in told} == {"replay-user"}
    assert sum(each.past.usage.tokens for each in told) == spent
