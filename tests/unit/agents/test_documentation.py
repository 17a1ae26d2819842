"""What docs/agents.md shows is what the agent does."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.graph import END, START, StateGraph

from agents.config import Settings
from agents.extension import URI
from agents.graph import AgentState
from agents.outcomes import Meter, ToolCall, ToolsCalled
from agents.run import Run
from agents.server.messages import report
from agents.usage import Usage, UsageTree
from tests.unit.agents.doubles import Model, answered, kit

pytestmark = pytest.mark.anyio

DOCUMENTATION = (Path(__file__).parents[3] / "docs" / "agents.md").read_text(encoding="utf-8")


async def test_the_node_with_a_tool_of_its_own_runs_it_and_asks_again() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENTATION, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - it is ours
    call = ToolCall("c1", "table_size", '{"name": "orders"}')
    model = Model(ToolsCalled("", (call,), None, Meter()), answered("It is large."))
    graph = StateGraph(AgentState).add_node("answer", names["build_node"](kit(model)))
    graph.add_edge(START, "answer").add_edge("answer", END)
    question: Any = {"messages": [HumanMessage("How large is orders?")]}
    state = await graph.compile().ainvoke(question)
    assert state["reply"] == "It is large."
    assert [message.type for message in state["messages"]] == ["human", "ai", "tool", "ai"]
    assert model.conversations[1][-1] == ("tool", "orders has 12 GB.")


def test_a_finished_task_says_of_its_budget_what_is_shown() -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", DOCUMENTATION, re.DOTALL)
    run = Run("dba-agent")
    run.usage = UsageTree("dba-agent", Usage(91, 640, 731), 2, [UsageTree("support-agent", Usage(20, 686, 706), 1)])
    run.meter = Meter(5000, 712, 1200)
    run.savings = ["max_tokens 1443"]
    assert {URI: json.loads(shown)} == report(run)


def test_every_variable_that_is_named_is_there() -> None:
    named = set(re.findall(r"`((?:AGENT|BUDGET|KEEP|LLM|KAGENT|MAX|ON|PEER|SHUTDOWN)[A-Z]*_[A-Z_]+)", DOCUMENTATION))
    assert named
    assert {name.lower() for name in named} <= set(Settings.model_fields)
