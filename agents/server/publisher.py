"""What happens in a turn, published as the task's events a few times a second.

Each event copies the task for each subscriber, and an eye reads no faster: a stream's words are put together. The order of
the events is the one that kagent's UI wants: words as they come, then, for each call of the LLM, all of it with its usage.
"""

import asyncio
import logging
from typing import Any

from a2a.helpers import new_text_part
from a2a.server.tasks import TaskUpdater
from a2a.types import Part, TaskState

from agents.progress import Delta, Note, Progress, Said, ToolAnswered, ToolCalled
from agents.server.messages import tool_part, usage_metadata
from agents.tasks import PARTIAL
from agents.usage import Usage

log = logging.getLogger(__name__)

INTERVAL = 0.25
"""Seconds between two publications."""


MOST_SHOWN = 1024 * 1024
"""Characters of a turn that are shown as they come. A reader who does not read has all of them waiting in memory."""

LONGEST_REPEATED = 256 * 1024
"""Characters of an answer that its message repeats: the artifact holds all of it, and each event copies the whole task."""


class Publisher:
    """The `Listener` of one task. `interval` is for tests."""

    def __init__(self, updater: TaskUpdater, interval: float = INTERVAL) -> None:
        self._updater = updater
        self._interval = interval
        self._waiting: list[Progress] = []
        self._words: list[str] = []
        self._has_read = False
        self._shown = 0
        self._closed = False
        self._last_text = ""
        self._usage: Usage | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None

    def tell(self, progress: Progress) -> None:
        match progress:
            case Delta(text):
                self._words.append(text)
            case Said(text):
                # It says all of the words again.
                self._words.clear()
                self._has_read = False
                self._last_text = text
                self._waiting.append(progress)
            case _:
                self._waiting.append(progress)
        if self._timer is None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(self._interval, self._begin)

    def withdraw(self) -> bool:
        self._words.clear()
        return not self._has_read

    async def finish(self, reply: str | None) -> None:
        """Publishes what is left. The reply is among it: kagent's history has only what was said before the end."""
        if reply and reply != self._last_text:
            self.tell(Note(reply))
        self.close()
        if self._flushing:
            await self._flushing
        await self._publish_waiting()

    def close(self) -> None:
        """Publishes nothing more by itself."""
        self._closed = True
        if self._timer:
            self._timer.cancel()

    def _begin(self) -> None:
        self._flushing = asyncio.create_task(self._flush())

    async def _flush(self) -> None:
        try:
            await self._publish_waiting()
            if self._words:
                words, self._words = "".join(self._words), []
                self._has_read = True
                self._shown += len(words)
                if self._shown <= MOST_SHOWN:
                    await self._say([new_text_part(words)], {PARTIAL: True}, {})
        except Exception:
            # The task may have been cancelled meanwhile; whatever else it is, the turn's end says it.
            log.debug("Progress of task %s was not published.", self._updater.task_id, exc_info=True)
        finally:
            self._timer = None
            if not self._closed and (self._waiting or self._words):
                self._timer = asyncio.get_running_loop().call_later(self._interval, self._begin)

    async def _publish_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for progress in waiting:
            await self._publish(progress)

    async def _publish(self, progress: Progress) -> None:
        match progress:
            case Said("", usage):
                # The message that says what was called carries what it cost.
                self._usage = usage
            case Said(text, usage):
                metadata = usage_metadata(usage)
                await self._say([new_text_part(_bounded(text))], metadata, metadata)
            case ToolCalled() | ToolAnswered():
                metadata = usage_metadata(self._usage)
                self._usage = None
                await self._say([tool_part(progress)], metadata, metadata)
            case Note(text):
                await self._say([new_text_part(_bounded(text))], {}, {})

    async def _say(self, parts: list[Part], of_message: dict[str, Any], of_event: dict[str, Any]) -> None:
        message = self._updater.new_agent_message(parts, metadata=of_message or None)
        await self._updater.update_status(TaskState.TASK_STATE_WORKING, message, metadata=of_event or None)


def _bounded(text: str) -> str:
    return text if len(text) <= LONGEST_REPEATED else f"{text[:LONGEST_REPEATED]} … (the whole answer is in the artifact)"
