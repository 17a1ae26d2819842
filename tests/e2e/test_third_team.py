"""The README's third team, added as the README says."""

import re
from pathlib import Path

import httpx
import pytest

from runner.config import PROJECT
from runner.talk import Agent
from tests.systems import running

pytestmark = pytest.mark.anyio

README = (PROJECT / "README.md").read_text(encoding="utf-8")


def blocks() -> tuple[str, list[str]]:
    section = README.split("## Add a third team")[1].split("\n## ")[0]
    team, budget = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    return team, budget.splitlines(keepends=True)


def beside_the_others(policy: str, lines: list[str]) -> str:
    """Each line of the README behind the last limit of its window."""
    for line in lines:
        unit = re.search(r"unit: (\w+)", line)
        assert unit
        last = [found.end() for found in re.finditer(rf"unit: {unit[1]}}}\n", policy)][-1]
        policy = policy[:last] + line + policy[last:]
    return policy


async def test_a_third_team_is_a_dozen_lines_at_most_and_has_an_agent_and_a_budget(
    tmp_path: Path, http: httpx.AsyncClient
) -> None:
    team, budget = blocks()
    assert len(team.splitlines()) + len(budget) <= 12
    teams = (PROJECT / "policy" / "teams.yaml").read_text(encoding="utf-8") + team
    policy = beside_the_others((PROJECT / "policy" / "budgets" / "team-token-budget.yaml").read_text(encoding="utf-8"), budget)
    async with running(tmp_path, teams=teams, budgets=policy, agents=True) as system:
        async with Agent(system.system.addresses.agents["sales-agent"]) as agent:
            assert (await agent.ask("What does it cost?")).completed
        accounts = {(each.team, each.window): each for each in await system.books.settled()}
        assert accounts["sales", "hour"].limit == 8_000
        assert accounts["sales", "day"].limit == 80_000
        assert accounts["sales", "day"].used > 0
        assert (await system.chat(http, "dave")).headers["x-ratelimit-limit"] == "8000"
