"""The peers' agent cards: what they say of themselves, and how they are spoken to. Fetched when needed, kept for minutes."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
from a2a.client import A2ACardResolver
from a2a.types import AgentCard

from agents.peers.directory import Peer

log = logging.getLogger(__name__)

FRESH = 300
"""Seconds that a card is kept."""

AWAY = 30
"""Seconds before a card that could not be had is asked for again, where nobody is about to call."""

PATIENCE = 3
"""Seconds that a card may take."""

BINDINGS = ("JSONRPC", "HTTP+JSON")


@dataclass(frozen=True)
class _Kept:
    card: AgentCard | None
    until: float


class Cards:
    def __init__(self, http: httpx.AsyncClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._http = http
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def of(self, peer: Peer, headers: Mapping[str, bytes], *, needed: bool = False) -> AgentCard | None:
        """None where the peer is away; an old card is better than none. With `needed`, one that is away is asked again."""
        async with self._locks[peer.name]:
            kept = self._kept.get(peer.name)
            if kept and self._clock() < kept.until and (kept.card or not needed):
                return kept.card
            card = await self._fetch(peer, headers)
            life = FRESH if card else AWAY
            card = card or (kept.card if kept else None)
            self._kept[peer.name] = _Kept(card, self._clock() + life)
            return card

    def doubt(self, peer: Peer) -> None:
        """A call by this card went wrong: the next one asks for the card again."""
        kept = self._kept.get(peer.name)
        if kept:
            self._kept[peer.name] = _Kept(kept.card, self._clock())

    async def _fetch(self, peer: Peer, headers: Mapping[str, bytes]) -> AgentCard | None:
        resolver = A2ACardResolver(self._http, peer.url)
        try:
            async with asyncio.timeout(PATIENCE):
                card = await resolver.get_agent_card(http_kwargs={"headers": dict(headers)})
            return at_home(card, peer)
        # The SDK lets more than its own errors out where the card is no card.
        except Exception as error:
            log.warning("The card of agent %s at %s cannot be had: %.300r", peer.name, peer.url, error)
            return None


def at_home(card: AgentCard, peer: Peer) -> AgentCard:
    """The card with addresses that this agent calls, and only those that it can.

    A card may name any address, inside the cluster too, and what is sent there is the user's: so a card is followed to another
    path, but never to another host than the one that PEERS names. kagent's controller is called at its own address always.
    """
    bindings = BINDINGS[:1] if peer.through_kagent else BINDINGS
    interfaces = [interface for interface in card.supported_interfaces if interface.protocol_binding in bindings]
    for interface in interfaces:
        if peer.through_kagent:
            interface.url = f"{peer.url}/"
        elif _origin(interface.url) != _origin(peer.url):
            log.warning(
                "The card of agent %s names %.200r, which is not where PEERS has it: it is called at %s.",
                peer.name, interface.url, peer.url,
            )  # fmt: skip
            interface.url = _moved(interface.url, peer.url)
    own = AgentCard()
    own.CopyFrom(card)
    del own.supported_interfaces[:]
    own.supported_interfaces.extend(interfaces)
    return own


def _origin(url: str) -> tuple[str, str | None, int] | None:
    """None where it is no address of the web."""
    try:
        parts = urlsplit(url)
        usual = {"http": 80, "https": 443}[parts.scheme]
        return parts.scheme, parts.hostname, parts.port or usual
    except (ValueError, KeyError):
        return None


def _moved(url: str, home: str) -> str:
    """The path of `url` below `home`. Behind a proxy, the card knows nothing of the path at which `home` stands."""
    # kagent's samples have `localhost:8080`, which is no address at all.
    if _origin(url) is None:
        return home
    path, above = urlsplit(url).path, urlsplit(home).path
    below = path == above or path.startswith(f"{above}/")
    return home + (path.removeprefix(above) if below else path)
