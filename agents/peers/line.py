"""The line to the peers: a message there, an answer back, and word to the peer where nobody waits for it any more."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

import httpx
from a2a.client import A2AClientTimeoutError, ClientCallContext, ClientConfig, ClientFactory
from a2a.helpers import new_text_message
from a2a.types import AgentCard, Message, Role, TaskState

from agents.extension import URI
from agents.peers.answers import is_spent, read_usage, text_of_error, text_of_message, text_of_task
from agents.peers.cards import BINDINGS
from agents.peers.directory import Peer
from agents.peers.exchange import LAST_WORD, Exchange
from agents.run import Run
from agents.usage import UsageTree

log = logging.getLogger(__name__)

SPENT = "budget spent"
"""The state of an answer that stays the same until the peer's budget is back."""


@dataclass(frozen=True)
class Answer:
    """`text` is for the LLM, `state` for the log. `failed` where the peer did not do as A2A has it, or could not be reached."""

    text: str
    state: str
    context_id: str = ""
    usage: UsageTree | None = None
    failed: bool = False


def context_with(peer: Peer, run: Run) -> str:
    """The same for one conversation and one peer, so that the peer remembers; another for each agent that calls it."""
    if not run.context_id:
        return str(uuid4())
    return str(uuid5(NAMESPACE_URL, "\n".join((URI, run.agent, run.context_id, peer.name))))


def new_message(text: str, context_id: str, metadata: dict[str, Any]) -> Message:
    message = new_text_message(text, context_id=context_id, role=Role.ROLE_USER)
    message.metadata.update(metadata)
    return message


class Line:
    """`timeout` in seconds bounds one question with its answer."""

    def __init__(self, http: httpx.AsyncClient, timeout: float) -> None:
        config = ClientConfig(httpx_client=http, supported_protocol_bindings=list(BINDINGS), use_client_preference=True)
        self._factory = ClientFactory(config)
        self._timeout = timeout
        self._hanging_up: set[asyncio.Task[None]] = set()

    async def ask(self, peer: Peer, card: AgentCard, message: Message, headers: Mapping[str, bytes]) -> Answer:
        """Raises nothing but CancelledError, and then the peer's task is cancelled too, without waiting for it."""
        # Unchecked, for the SDK has headers as text, and httpx would write ASCII only: a user's name may be more.
        context = ClientCallContext.model_construct(service_parameters=dict(headers))
        try:
            client = self._factory.create(card)
        except ValueError:
            text = f"{peer.name} cannot be called: its card offers neither JSON-RPC nor HTTP+JSON over A2A 1.0 or 0.3."
            return Answer(text, "no interface", failed=True)
        exchange = Exchange(client, context, streaming=card.capabilities.streaming)
        try:
            text, state, failed = await self._await_answer(peer, exchange, message)
            # A task that asks back is cancelled too: it would wait for ever.
            await exchange.cancel()
        except asyncio.CancelledError:
            self._hang_up(exchange)
            raise
        said = exchange.message if exchange.message is not None else exchange.task
        return Answer(text, state, message.context_id, read_usage(peer.name, said.metadata), failed)

    async def _await_answer(self, peer: Peer, exchange: Exchange, message: Message) -> tuple[str, str, bool]:
        try:
            async with asyncio.timeout(self._timeout):
                await exchange.send(message)
            return *_read(peer, exchange), False
        except (TimeoutError, A2AClientTimeoutError):
            text = f"{peer.name} did not answer within {self._timeout:g} seconds and was told to stop. Answer without it."
            return text, "timed out", True
        # The SDK lets out what it trips over, where an answer is no A2A.
        except Exception as error:
            log.warning("Agent %s at %s: %.400r", peer.name, peer.url, error)
            return text_of_error(peer.name, error), "not understood or away", True

    def _hang_up(self, exchange: Exchange) -> None:
        if exchange.at_work:
            task = asyncio.create_task(exchange.cancel())
            self._hanging_up.add(task)
            task.add_done_callback(self._hanging_up.discard)

    async def aclose(self) -> None:
        """Waits for the last cancellations, for a few seconds."""
        if self._hanging_up:
            await asyncio.wait(self._hanging_up, timeout=LAST_WORD)


def _read(peer: Peer, exchange: Exchange) -> tuple[str, str]:
    if exchange.message is not None:
        return text_of_message(exchange.message) or f"{peer.name} answered without a text.", "message"
    state = SPENT if is_spent(exchange.task) else TaskState.Name(exchange.task.status.state)
    return text_of_task(peer.name, exchange.task), state
