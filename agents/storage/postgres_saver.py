"""LangGraph's own saver on Postgres, without what belongs to one turn."""

from collections.abc import Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

from agents.storage.channels import lasting, lasting_writes
from agents.storage.postgres_connections import Pool, failures_told


class PostgresSaver(AsyncPostgresSaver):
    """Earlier checkpoints of a thread go at the end of the turn. Raises StorageError where Postgres fails."""

    def __init__(self, pool: Pool, name: str) -> None:
        super().__init__(pool)
        self._name = name

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        with failures_told(self._name):
            return await super().aget_tuple(config)

    async def aput(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata, new_versions: ChannelVersions
    ) -> RunnableConfig:
        with failures_told(self._name):
            return await super().aput(config, lasting(checkpoint), metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        with failures_told(self._name):
            await super().aput_writes(config, lasting_writes(writes), task_id, task_path)
