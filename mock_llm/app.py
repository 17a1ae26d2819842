"""The mock LLM's routes: OpenAI's chat completions and models, the ledger, and health."""

import time
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.requests import ClientDisconnect

from mock_llm.answers import DONE, Answer
from mock_llm.chat_request import DEFAULT_MODEL, read_chat_request
from mock_llm.config import Settings
from mock_llm.connection import EventStream, is_gone
from mock_llm.draws import Draws
from mock_llm.errors import ApiError, answer_errors
from mock_llm.faults import HEADER, Faults, ordered_fault
from mock_llm.faulty import faulty_answer
from mock_llm.ledger import Ledger, caller_of
from mock_llm.replies import reply_to


def create_app(settings: Settings) -> FastAPI:
    app = FastAPI(title="Mock LLM", description="Answers with essays and keeps a ledger of the usage it reported.")
    answer_errors(app)
    ledger = Ledger()
    draws = Draws(settings.seed)
    faults = Faults(settings.fault_rates or {}, settings.seed)
    started = int(time.time())

    async def chat_completions(request: Request) -> Response:
        asked = read_chat_request(await _read_body(request, settings.max_body))
        order = ordered_fault(request.headers.get(HEADER), asked.text)
        account = ledger.account(caller_of(request.headers))
        draw = draws.next(account)
        reply, completion_tokens = reply_to(asked, draw)
        answer = Answer(
            answer_id=draw.answer_id,
            created=int(time.time()),
            model=asked.model,
            reply=reply,
            prompt_tokens=asked.prompt_tokens,
            completion_tokens=completion_tokens,
        )

        def enter() -> None:
            account.enter(answer.prompt_tokens, answer.completion_tokens)

        fault = faults.next(order, account)
        if fault is not None:
            return faulty_answer(fault, answer, asked, request, account)
        if asked.stream:
            usage = (answer.usage_event(), enter) if asked.include_usage else None
            return EventStream(answer.events(asked.include_usage), usage, DONE)
        if not is_gone(request.receive):
            enter()
        return Response(answer.document(), media_type="application/json")

    # A plain route: FastAPI's own reading of parameters, of which there are none, takes longer than the answer.
    app.add_route("/v1/chat/completions", chat_completions, methods=["POST"])

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        model = {"id": DEFAULT_MODEL, "object": "model", "created": started, "owned_by": "agentic-budgets"}
        return {"object": "list", "data": [model]}

    @app.get("/ledger")
    async def callers() -> dict[str, Any]:
        return {"callers": ledger.rows()}

    @app.get("/healthz")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


async def _read_body(request: Request, limit: int) -> bytes:
    content_type = request.headers.get("content-type", "application/json")
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise ApiError(
            415, f"Unsupported content type: {content_type[:80]!r}. Send application/json.", None, "unsupported_content_type"
        )
    body = bytearray()
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > limit:
            raise ApiError(
                413,
                f"The body of your request is larger than {limit} bytes. Shorten it, or raise MOCK_LLM_MAX_BODY.",
                None,
                "request_too_large",
            )
        more = message.get("more_body", False)
    return bytes(body)
