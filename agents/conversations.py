"""Conversations: one LangGraph thread for each A2A context, kept in the storage."""

from uuid import uuid4

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig

from agents.kit import Graph
from agents.run import Run, enter_run
from agents.storage.store import Storage
from agents.turn import KEYS, Turn, read_turn

MOST_STEPS = 250
"""Steps of a graph in one turn: an end to one that goes in a circle."""


class Conversations:
    def __init__(self, graph: Graph, storage: Storage) -> None:
        self._graph = graph
        self._keys = [key for key in KEYS if key in graph.channels]
        self._storage = storage

    async def say(self, run: Run, text: str) -> Turn:
        """One turn of the graph, after those before it in the same context.

        Raises what the graph's nodes raise, GraphRecursionError where it does not come to an end, GraphError where it left
        nothing to tell, and StrangerError where the context is another user's.
        """
        question = HumanMessage(text, id=str(uuid4()))
        config = RunnableConfig(configurable={"thread_id": run.context_id, "checkpoint_ns": ""}, recursion_limit=MOST_STEPS)
        async with self._storage.turn(run.context_id, run.lineage.user):
            run.begun = True
            enter_run(run)
            # Each step is kept while the next one is at work: a process that is killed loses the step it was in, and no other.
            state = await self._graph.ainvoke({"messages": [question]}, config, durability="async", output_keys=self._keys)
        return read_turn(state, str(question.id))
