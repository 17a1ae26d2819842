"""The SDK's client of 1.x; its lines are those of `a2a_0_3.py`."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
from a2a.client import Client, ClientConfig, ClientFactory
from a2a.types import (
    CancelTaskRequest,
    GetTaskRequest,
    Message,
    Part,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    StreamResponse,
    SubscribeToTaskRequest,
    Task,
    TaskState,
)


def text_of(parts: Sequence[Part]) -> str:
    return "".join(part.text for part in parts)


def state_of(state: TaskState) -> str:
    return TaskState.Name(state).removeprefix("TASK_STATE_").lower()


def a_task(task: Task) -> dict[str, Any]:
    return {
        "event": "task",
        "task": task.id,
        "context": task.context_id,
        "state": state_of(task.status.state),
        "text": text_of(task.status.message.parts),
        "artifacts": [text_of(artifact.parts) for artifact in task.artifacts],
    }


def an_event(response: StreamResponse) -> dict[str, Any]:
    match response.WhichOneof("payload"):
        case "task":
            return a_task(response.task)
        case "artifact_update":
            return {"event": "artifact", "text": text_of(response.artifact_update.artifact.parts)}
        case "status_update":
            status = response.status_update.status
            return {"event": "status", "state": state_of(status.state), "text": text_of(status.message.parts)}
        case _:
            raise TypeError("The agent answers with tasks.")


def a_request(action: dict[str, Any]) -> SendMessageRequest:
    message = Message(role=Role.ROLE_USER, message_id=action["id"], parts=[Part(text=action["text"])])
    message.context_id = action.get("context", "")
    at_once = SendMessageConfiguration(return_immediately=action["do"] == "begin")
    return SendMessageRequest(message=message, configuration=at_once)


async def results(client: Client, streaming: Client, action: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    match action["do"]:
        case "send" | "begin":
            async for response in client.send_message(a_request(action)):
                yield an_event(response)
        case "stream":
            async for response in streaming.send_message(a_request(action)):
                yield an_event(response)
        case "get":
            yield a_task(await client.get_task(GetTaskRequest(id=action["task"])))
        case "cancel":
            yield a_task(await client.cancel_task(CancelTaskRequest(id=action["task"])))
        case "resubscribe":
            async for response in streaming.subscribe(SubscribeToTaskRequest(id=action["task"])):
                yield an_event(response)


def say(result: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(result)}\n")
    sys.stdout.flush()


async def main(url: str, binding: str) -> None:
    async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
        client, streaming = [
            await ClientFactory(
                ClientConfig(httpx_client=http, streaming=way, supported_protocol_bindings=[binding])
            ).create_from_url(url)
            for way in (False, True)
        ]
        while line := await asyncio.to_thread(sys.stdin.readline):
            try:
                async for result in results(client, streaming, json.loads(line)):
                    say(result)
            except Exception as error:
                say({"error": str(error)})
            say({"over": True})


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
