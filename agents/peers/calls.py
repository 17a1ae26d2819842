"""The agents that this one may call, over A2A 1.0, or 0.3 where a peer has only that."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import httpx
from a2a.types import AgentCard

from agents.extension import URI
from agents.kit import Tool
from agents.outcomes import ToolCall
from agents.peers.answers import kagent_usage
from agents.peers.cards import Cards
from agents.peers.connection import connect
from agents.peers.directory import Peer
from agents.peers.headers import lineage_headers
from agents.peers.line import SPENT, Answer, Line, context_with, new_message
from agents.peers.tools import EXPECTED, read_message, tool_of
from agents.progress import ToolAnswered, ToolCalled
from agents.run import Run, current_run

log = logging.getLogger(__name__)


class CallablePeers:
    """`timeout` in seconds bounds one call.

    `to_controller` makes of a user the headers by which kagent's controller knows the agent; None outside of kagent.
    """

    def __init__(
        self,
        peers: Sequence[Peer],
        *,
        max_hops: int,
        timeout: float,
        to_controller: Callable[[str], Mapping[bytes, bytes]] | None = None,
    ) -> None:
        self._peers = tuple(peers)
        self._max_hops = max_hops
        self._timeout = timeout
        self._to_controller = to_controller

    @cached_property
    def _http(self) -> httpx.AsyncClient:
        """Reading the root certificates takes a while, which a start need not wait for."""
        return connect(self._timeout)

    @cached_property
    def _cards(self) -> Cards:
        return Cards(self._http)

    @cached_property
    def _line(self) -> Line:
        return Line(self._http, self._timeout)

    async def tools(self) -> Sequence[Tool]:
        run = current_run()
        peers = self._within_reach(run)
        cards = await asyncio.gather(*(self._cards.of(peer, self._headers(peer, run)) for peer in peers))
        return [tool_of(peer, card.description if card else "") for peer, card in zip(peers, cards, strict=True)]

    def _within_reach(self, run: Run) -> tuple[Peer, ...]:
        """Whom neither the bound on hops nor a circle would make refuse: such a call is known to be for nothing."""
        above = (*run.lineage.path, run.agent)
        if len(above) >= self._max_hops:
            return ()
        return tuple(peer for peer in self._peers if peer.name not in above)

    async def call(self, call: ToolCall, share: int = 1) -> str:
        run = current_run()
        message = read_message(call.arguments)
        run.tell(ToolCalled(call.call_id, call.name, {"message": message} if message else {}))
        try:
            answer = await self._answer(call.name, message, run, share)
        except Exception:
            log.exception("The call of %.100r failed.", call.name)
            answer = Answer("The agent could not be asked, for something failed here. Answer without it.", "failed here")
        run.tell(ToolAnswered(call.call_id, call.name, _response(answer)))
        return answer.text

    async def _answer(self, tool: str, message: str | None, run: Run, share: int) -> Answer:
        peers = {peer.tool: peer for peer in self._within_reach(run)}
        if tool not in peers:
            others = f"there are only {', '.join(peers)}" if peers else "there are none here"
            return Answer(f"There is no agent to call by this name: {others}.", "unknown")
        if message is None:
            return Answer(f"The arguments cannot be read. Call it again with JSON like {EXPECTED}.", "unreadable")
        if tool in run.spent_peers:
            return Answer(run.spent_peers[tool], SPENT)
        left = run.allowance_left
        allowance = None if left is None else left // max(1, share)
        if allowance == 0:
            return Answer("The agent was not asked: nothing is left of the tokens that this task may spend.", "no allowance")
        return await self._ask(peers[tool], message, run, allowance)

    async def _ask(self, peer: Peer, message: str, run: Run, allowance: int | None) -> Answer:
        headers = self._headers(peer, run)
        card = await self._cards.of(peer, headers, needed=True)
        if card is None:
            answer = Answer(f"{peer.name} could not be reached. Answer without it, or try again later.", "unreachable")
        else:
            answer = await self._talk(peer, card, message, run, allowance)
        if answer.state == SPENT:
            run.spent_peers[peer.tool] = answer.text
        if answer.usage is not None:
            run.usage.peers.append(answer.usage)
        used = f"{answer.usage.total} tokens" if answer.usage else "tokens unknown"
        log.info(
            "Called agent %s in context %s for user %r: %s, %s.",
            peer.name, answer.context_id or "-", run.lineage.user, answer.state, used,
        )  # fmt: skip
        return answer

    async def _talk(self, peer: Peer, card: AgentCard, message: str, run: Run, allowance: int | None) -> Answer:
        context_id = context_with(peer, run)
        said: dict[str, object] = {"path": [*run.lineage.path, run.agent]}
        if allowance is not None:
            said["allowance"] = {"tokens": allowance}
        answer = await self._line.ask(peer, card, new_message(message, context_id, {URI: said}), self._headers(peer, run))
        if answer.failed:
            self._cards.doubt(peer)
        return answer

    def _headers(self, peer: Peer, run: Run) -> dict[str, bytes]:
        headers = lineage_headers(run.lineage, run.context_id)
        if peer.through_kagent and self._to_controller:
            headers |= {name.decode(): value for name, value in self._to_controller(run.lineage.user).items()}
        return headers

    async def aclose(self) -> None:
        """Peers are told first of the tasks that nobody waits for any more."""
        if "_line" in self.__dict__:
            await self._line.aclose()
        if "_http" in self.__dict__:
            await self._http.aclose()


def _response(answer: Answer) -> dict[str, object]:
    """kagent's UI shows the called agent's conversation by its session id."""
    response: dict[str, object] = {"result": answer.text}
    if answer.context_id:
        response["subagent_session_id"] = answer.context_id
    if answer.usage is not None:
        response["kagent_usage_metadata"] = kagent_usage(answer.usage)
    return response
