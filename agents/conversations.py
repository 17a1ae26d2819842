"""Conversations: one LangGraph thread for each A2A context, in memory and bounded."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.memory import InMemorySaver

from agents.graph import Graph
from agents.turn import KEYS, OF_ONE_TURN, Turn, read_turn

MOST_CONTEXTS = 1000


class ConversationSaver(InMemorySaver):
    """Keeps no `reply` and no `outcome`, whatever channels the graph has for them: a turn must not find the last one's."""

    def put(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata, new_versions: ChannelVersions
    ) -> RunnableConfig:
        kept = {name: value for name, value in checkpoint["channel_values"].items() if name not in OF_ONE_TURN}
        return super().put(config, {**checkpoint, "channel_values": kept}, metadata, new_versions)

    def put_writes(self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = "") -> None:
        kept = [(channel, value) for channel, value in writes if channel not in OF_ONE_TURN]
        super().put_writes(config, kept, task_id, task_path)


@dataclass
class _Context:
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Conversations:
    """Forgets the context that was used longest ago, once there are more than `most`."""

    def __init__(self, graph: Graph, checkpointer: BaseCheckpointSaver[Any], most: int = MOST_CONTEXTS) -> None:
        self._graph = graph
        self._keys = [key for key in KEYS if key in graph.channels]
        self._checkpointer = checkpointer
        self._most = most
        self._contexts: OrderedDict[str, _Context] = OrderedDict()

    async def say(self, context_id: str, text: str) -> Turn:
        """One turn of the graph. Raises what the graph's nodes raise, and GraphError where they left nothing to tell."""
        question = HumanMessage(text, id=str(uuid4()))
        config: RunnableConfig = {"configurable": {"thread_id": context_id, "checkpoint_ns": ""}}
        async with self._turn(context_id):
            try:
                # One checkpoint a turn: there is no other process that could go on from a step in between.
                state = await self._graph.ainvoke({"messages": [question]}, config, durability="exit", output_keys=self._keys)
            finally:
                await self._keep_latest(context_id, config)
        return read_turn(state, str(question.id))

    @asynccontextmanager
    async def _turn(self, context_id: str) -> AsyncIterator[None]:
        """Two messages in one context go one after the other: side by side, one would overwrite the other's state."""
        context = self._contexts.setdefault(context_id, _Context())
        self._contexts.move_to_end(context_id)
        context.users += 1
        try:
            async with context.turn:
                yield
        finally:
            context.users -= 1
            await self._forget_oldest()

    async def _forget_oldest(self) -> None:
        for context_id, context in list(self._contexts.items()):
            if len(self._contexts) <= self._most:
                return
            if not context.users:
                del self._contexts[context_id]
                await self._checkpointer.adelete_thread(context_id)

    async def _keep_latest(self, context_id: str, config: RunnableConfig) -> None:
        """Drops all checkpoints but the last: each holds the whole conversation, so that memory would grow with its square."""
        latest = await self._checkpointer.aget_tuple(config)
        if latest is None:
            return
        await self._checkpointer.adelete_thread(context_id)
        await self._checkpointer.aput(config, latest.checkpoint, latest.metadata, latest.checkpoint["channel_versions"])
