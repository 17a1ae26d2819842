"""The SDK's client of 0.3, in a Python of its own: `a2a_0_3.py URL BINDING`.

Each line of standard input is an action, such as `{"do": "send", "text": "hi"}`; what comes of it is written as lines of JSON,
and then `{"over": true}`.
"""
# It speaks an API that is not the installed one's.
# mypy: ignore-errors

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
from a2a.client import ClientConfig, ClientFactory
from a2a.client.client import Client, ClientEvent
from a2a.types import (
    Message,
    MessageSendConfiguration,
    Part,
    Role,
    Task,
    TaskArtifactUpdateEvent,
    TaskIdParams,
    TaskQueryParams,
    TextPart,
)


def text_of(parts: list[Part]) -> str:
    return "".join(part.root.text for part in parts if isinstance(part.root, TextPart))


def a_task(task: Task) -> dict[str, Any]:
    return {
        "event": "task",
        "task": task.id,
        "context": task.context_id,
        "state": task.status.state.value,
        "text": text_of(task.status.message.parts) if task.status.message else "",
        "artifacts": [text_of(artifact.parts) for artifact in task.artifacts or []],
    }


def an_event(event: ClientEvent | Message) -> dict[str, Any]:
    if isinstance(event, Message):
        raise TypeError("The agent answers with tasks.")
    task, update = event
    if update is None:
        return a_task(task)
    if isinstance(update, TaskArtifactUpdateEvent):
        return {"event": "artifact", "text": text_of(update.artifact.parts)}
    message = update.status.message
    return {"event": "status", "state": update.status.state.value, "text": text_of(message.parts) if message else ""}


def a_message(action: dict[str, Any]) -> Message:
    part = Part(root=TextPart(text=action["text"]))
    return Message(role=Role.user, message_id=action["id"], parts=[part], context_id=action.get("context"))


async def results(client: Client, streaming: Client, action: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    match action["do"]:
        case "send" | "begin":
            configuration = MessageSendConfiguration(blocking=action["do"] == "send")
            async for event in client.send_message(a_message(action), configuration=configuration):
                yield an_event(event)
        case "stream":
            async for event in streaming.send_message(a_message(action)):
                yield an_event(event)
        case "get":
            yield a_task(await client.get_task(TaskQueryParams(id=action["task"])))
        case "cancel":
            yield a_task(await client.cancel_task(TaskIdParams(id=action["task"])))
        case "resubscribe":
            async for event in streaming.resubscribe(TaskIdParams(id=action["task"])):
                yield an_event(event)


def say(result: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(result)}\n")
    sys.stdout.flush()


async def main(url: str, binding: str) -> None:
    async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
        client, streaming = [
            await ClientFactory.connect(
                url, ClientConfig(httpx_client=http, streaming=way, supported_transports=[binding], use_client_preference=True)
            )
            for way in (False, True)
        ]
        while line := await asyncio.to_thread(sys.stdin.readline):
            try:
                async for result in results(client, streaming, json.loads(line)):
                    say(result)
            except Exception as error:
                say({"error": str(error)})
            say({"over": True})


asyncio.run(main(*sys.argv[1:]))
