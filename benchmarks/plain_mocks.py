"""What the mock LLM is compared with: the least that a server can do, and a mock as it is usually written.

`python -m benchmarks.plain_mocks echo|usual PORT`
"""

import asyncio
import json
import logging
import random
import sys
import time
import uuid

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mock_llm.essays import ESSAYS
from service.http import listen, serve_together

PATH = "/v1/chat/completions"
_DOCUMENT = json.dumps({"choices": [{"index": 0, "message": {"role": "assistant", "content": ESSAYS[0]}}]}).encode()
ECHO_BODY = _DOCUMENT.ljust(sum(map(len, ESSAYS)) // len(ESSAYS) + 300)
"""As long as the mock's answers are on average."""

log = logging.getLogger("usual")


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """The floor: reads the body, and sends always the same."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-length", b"%d" % len(ECHO_BODY)), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ECHO_BODY})


async def _complete(request: Request) -> Response:
    asked = await request.json()
    completion_tokens = random.randint(400, 1500)  # noqa: S311 - no secret
    prompt_tokens = sum(len(str(message.get("content", "")).split()) for message in asked["messages"])
    log.info("team=%s model=%s tokens=%d", request.headers.get("x-team-id"), asked.get("model"), completion_tokens)
    message = {"role": "assistant", "content": random.choice(ESSAYS)}  # noqa: S311
    return JSONResponse(
        {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": asked.get("model"),
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {
                "prompt_tokens": prompt_tokens,
                "completion_tokens": completion_tokens,
                "total_tokens": prompt_tokens + completion_tokens,
            },
        }
    )


def usual() -> Starlette:
    """A Starlette application that parses, draws, dumps, and logs a line for each request."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    return Starlette(routes=[Route(PATH, _complete, methods=["POST"])])


async def serve(app: ASGIApp, port: int) -> None:
    await serve_together((app, listen("127.0.0.1", port, "PORT")))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(usual() if sys.argv[1] == "usual" else echo, int(sys.argv[2])))
