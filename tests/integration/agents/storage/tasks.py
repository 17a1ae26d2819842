"""Tasks, and events on them, as the SDK hands them to a store."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

from a2a.auth.user import User
from a2a.server.context import ServerCallContext
from a2a.server.tasks import InMemoryTaskStore
from a2a.server.tasks.task_manager import TaskManager
from a2a.types import (
    Artifact,
    ListTasksRequest,
    ListTasksResponse,
    Message,
    Part,
    Role,
    Task,
    TaskArtifactUpdateEvent,
    TaskState,
    TaskStatus,
    TaskStatusUpdateEvent,
)

from agents.storage.store import Limits, Storage

WORKING = TaskState.TASK_STATE_WORKING
COMPLETED = TaskState.TASK_STATE_COMPLETED
PLENTY = Limits(tasks=1000, contexts=1000, seconds=86_400)


class _Named(User):
    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def user_name(self) -> str:
        return self._name


def of(user: str) -> ServerCallContext:
    return ServerCallContext(user=_Named(user))


def said(text: str, partial: bool = False) -> Message:
    message = Message(message_id=str(uuid4()), role=Role.ROLE_AGENT, parts=[Part(text=text)])
    if partial:
        message.metadata.update({"kagent_adk_partial": True})
    return message


def status(state: "TaskState", message: Message | None = None, at: float | None = None) -> TaskStatus:
    made = TaskStatus(state=state, message=message)
    made.timestamp.FromDatetime(datetime.now(UTC) if at is None else datetime.fromtimestamp(at, UTC))
    return made


class Worker:
    """One task, driven through the SDK's own TaskManager."""

    def __init__(self, storage: Storage, user: str = "alice", task_id: str = "", context_id: str = "c") -> None:
        self.id = task_id or str(uuid4())
        self.context_id = context_id
        self.context = of(user)
        self.manager = TaskManager(storage.tasks, self.context, self.id, context_id, None)

    async def begin(self, at: float | None = None) -> Task:
        question = Message(message_id=str(uuid4()), role=Role.ROLE_USER, parts=[Part(text="q")])
        task = Task(
            id=self.id,
            context_id=self.context_id,
            status=status(TaskState.TASK_STATE_SUBMITTED, at=at),
            history=[question],
        )
        await self.manager.process(task)
        return task

    async def go(self, state: "TaskState", message: Message | None = None, at: float | None = None) -> Task:
        event = TaskStatusUpdateEvent(task_id=self.id, context_id=self.context_id, status=status(state, message, at))
        await self.manager.process(event)
        task = await self.manager.get_task()
        assert task is not None
        return task

    async def artifact(self, text: str) -> None:
        made = Artifact(artifact_id="answer", parts=[Part(text=text)])
        await self.manager.process(TaskArtifactUpdateEvent(task_id=self.id, context_id=self.context_id, artifact=made))


async def stored(storage: Storage, task_id: str, user: str = "alice") -> Task | None:
    found = await storage.tasks.get(task_id, of(user))
    return found if found is None or isinstance(found, Task) else found.task


async def ended(storage: Storage, task_id: str, user: str = "alice", at: float | None = None, context_id: str = "c") -> None:
    worker = Worker(storage, user, task_id, context_id)
    await worker.begin(at)
    await worker.go(COMPLETED, at=at)


async def listed(storage: "Storage | InMemoryTaskStore", params: ListTasksRequest, user: str = "alice") -> ListTasksResponse:
    tasks = storage if isinstance(storage, InMemoryTaskStore) else storage.tasks
    return await tasks.list(params, of(user))


def texts(messages: Sequence[Message]) -> list[str]:
    return [message.parts[0].text for message in messages]
