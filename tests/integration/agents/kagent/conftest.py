"""An agent under kagent: it tells a controller of its tasks, and may call another agent."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.agents.conftest import Agent, agent_beside
from tests.integration.agents.gateway import Gateway
from tests.unit.agents.kagent.doubles import KagentController, listener
from tests.unit.agents.kagent.doubles import serving as serving_controller

UNDER_KAGENT = {"KAGENT_NAME": "dba-agent", "KAGENT_NAMESPACE": "kagent", "KAGENT_TOKEN_FILE": "/nowhere"}


class Kagent(KagentController):
    """`url` is where it is reached."""

    url = ""

    def of(self, context: str) -> list[dict[str, Any]]:
        """The tasks of a session, in the order in which they came."""
        return [task for task in self.tasks.values() if task["contextId"] == context]


@pytest.fixture(scope="session")
async def serving_kagent() -> AsyncIterator[Kagent]:
    kagent = Kagent()
    async with serving_controller(kagent, listener()) as kagent.url:
        yield kagent


@pytest.fixture
def kagent(serving_kagent: Kagent) -> Kagent:
    serving_kagent.mode = "well"
    return serving_kagent


@pytest.fixture(scope="session")
async def support(serving: Gateway, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Agent]:
    folder = tmp_path_factory.mktemp("support")
    async with agent_beside(folder, LLM_URL=serving.url, KAGENT_NAME="support-agent", KAGENT_NAMESPACE="kagent") as agent:
        yield agent


@pytest.fixture(scope="session")
async def agent(
    serving: Gateway, serving_kagent: Kagent, support: Agent, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Agent]:
    told = {"LLM_URL": serving.url, "KAGENT_URL": serving_kagent.url, "PEERS": f"support={support.url}"}
    async with agent_beside(tmp_path_factory.mktemp("agent"), **told, **UNDER_KAGENT) as agent:
        yield agent
