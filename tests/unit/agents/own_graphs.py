"""Graphs as an agent developer may write them, of one node each."""

import re
from pathlib import Path
from typing import Any

from langgraph.graph import END, START, StateGraph

from agents.graph import AgentState
from agents.kit import Graph, GraphBuilder, Kit

README = Path(__file__).parents[3] / "README.md"


def one_node(node: Any, state: type[Any] = AgentState, output: type[Any] | None = None, **compiling: Any) -> GraphBuilder:
    """A builder of START -> node -> END over `state`; `compiling` changes how it is compiled."""

    def build(kit: Kit) -> Graph:
        graph = StateGraph(state, output_schema=output)
        graph.add_node("node", node)
        graph.add_edge(START, "node")
        graph.add_edge("node", END)
        return graph.compile(**{"checkpointer": kit.checkpointer} | compiling)

    return build


def section_of_the_readme(heading: str) -> str:
    return README.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]


def code_in_the_readme() -> str:
    """The file that the README's section on own graphs shows."""
    (code,) = re.findall(r"```python\n(.*?)```", section_of_the_readme("Put in your own graph"), re.DOTALL)
    return str(code)
