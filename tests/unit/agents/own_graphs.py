"""Graphs as an agent developer may write them, of one node each."""

import re
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph

from agents.graph import AgentState, Graph, GraphBuilder
from agents.llm import CallLLM

README = Path(__file__).parents[3] / "README.md"


def one_node(node: Any, state: type[Any] = AgentState, output: type[Any] | None = None, **compiling: Any) -> GraphBuilder:
    """A builder of START -> node -> END over `state`; `compiling` changes how it is compiled."""

    def build(call_llm: CallLLM, *, team: str, system_prompt: str, checkpointer: BaseCheckpointSaver[Any]) -> Graph:
        graph = StateGraph(state, output_schema=output)
        graph.add_node("node", node)
        graph.add_edge(START, "node")
        graph.add_edge("node", END)
        return graph.compile(**{"checkpointer": checkpointer} | compiling)

    return build


def code_in_the_readme() -> str:
    """The file that the README's section on own graphs shows."""
    section = README.read_text(encoding="utf-8").split("\n## Put in your own graph\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    return str(code)
