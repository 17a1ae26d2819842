import asyncio
import logging

import httpx
import pytest
from a2a.types import AgentCard, AgentInterface

from agents.peers.cards import AWAY, FRESH, Cards, at_home
from agents.peers.directory import Peer

pytestmark = pytest.mark.anyio

PEER = Peer("support", "http://support:8080", "support")
CARD = {
    "name": "support",
    "description": "Answers.",
    "supportedInterfaces": [{"url": "http://support:8080/", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
}


class Site:
    def __init__(self, *answers: object) -> None:
        self.answers = list(answers) or [CARD]
        self.requests: list[httpx.Request] = []
        self.now = 0.0
        self.cards = Cards(httpx.AsyncClient(transport=httpx.MockTransport(self._answer)), lambda: self.now)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await asyncio.sleep(0)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(200, content=answer) if isinstance(answer, bytes) else httpx.Response(200, json=answer)


async def test_a_card_is_fetched_once_and_kept_for_minutes() -> None:
    site = Site()
    cards = await asyncio.gather(*(site.cards.of(PEER, {"x-user-id": b"alice"}) for _ in range(5)))
    assert {card.description for card in cards if card} == {"Answers."}
    site.now = FRESH - 1
    assert await site.cards.of(PEER, {})
    assert len(site.requests) == 1
    assert site.requests[0].headers["x-user-id"] == "alice"
    assert str(site.requests[0].url) == "http://support:8080/.well-known/agent-card.json"
    site.now = FRESH
    assert await site.cards.of(PEER, {})
    assert len(site.requests) == 2


async def test_a_card_that_is_away_is_asked_for_again_later_or_when_it_is_needed() -> None:
    site = Site(httpx.ConnectError("away"), httpx.ConnectError("away"), CARD)
    assert await site.cards.of(PEER, {}) is None
    assert await site.cards.of(PEER, {}) is None
    assert len(site.requests) == 1
    assert await site.cards.of(PEER, {}, needed=True) is None
    assert len(site.requests) == 2
    site.now = AWAY
    assert await site.cards.of(PEER, {})


async def test_an_old_card_is_better_than_none() -> None:
    site = Site(CARD, httpx.ConnectError("away"))
    await site.cards.of(PEER, {})
    site.now = FRESH
    assert await site.cards.of(PEER, {})


async def test_a_card_in_doubt_is_asked_for_again() -> None:
    site = Site()
    site.cards.doubt(PEER)
    await site.cards.of(PEER, {})
    site.cards.doubt(PEER)
    await site.cards.of(PEER, {})
    assert len(site.requests) == 2


@pytest.mark.parametrize(
    "answer", [b"", b"\xff", b"[" * 100_000, [], 7, {"supportedInterfaces": 7}, {"skills": [7]}, {"securitySchemes": 7}]
)
async def test_a_card_that_is_none_is_away(answer: object) -> None:
    assert await Site(answer).cards.of(PEER, {}) is None


def card(*urls: str, binding: str = "JSONRPC") -> AgentCard:
    return AgentCard(supported_interfaces=[AgentInterface(url=url, protocol_binding=binding) for url in urls])


def called(card: AgentCard, peer: Peer) -> list[str]:
    return [interface.url for interface in at_home(card, peer).supported_interfaces]


def test_a_card_is_followed_at_its_own_host(caplog: pytest.LogCaptureFixture) -> None:
    assert called(card("http://support:8080/a2a/v1"), PEER) == ["http://support:8080/a2a/v1"]
    assert not caplog.records


@pytest.mark.parametrize(
    ("home", "url", "at"),
    [
        ("http://support:8080", "http://169.254.169.254/latest", "http://support:8080/latest"),
        ("http://support:8080", "http://support:9090/", "http://support:8080/"),
        ("http://support:8080", "file:///etc/passwd", "http://support:8080"),
        ("http://support:8080", "ftp://support:8080/x", "http://support:8080"),
        ("http://support:8080", "localhost:8080", "http://support:8080"),
        ("http://support:8080", "http://[::1", "http://support:8080"),
        ("https://gate/agents/support", "http://support:8080/", "https://gate/agents/support/"),
        ("https://gate/agents/support", "http://gate/agents/support", "https://gate/agents/support"),
        ("https://gate/agents/support", "http://gate/agents/support/v1", "https://gate/agents/support/v1"),
    ],
)
def test_a_card_is_not_followed_to_another_host(home: str, url: str, at: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert called(card(url), Peer("support", home, "support")) == [at]
    assert "support" in caplog.text


def test_the_controller_is_called_at_its_own_address() -> None:
    peer = Peer("kagent/support", "http://controller/api/a2a/kagent/support", "support", through_kagent=True)
    assert called(card("http://127.0.0.1:8083/api/a2a/kagent/support"), peer) == ["http://controller/api/a2a/kagent/support/"]
    assert called(card("http://127.0.0.1:8083/", binding="HTTP+JSON"), peer) == []


def test_what_this_agent_does_not_speak_is_left_out() -> None:
    assert called(card("support:50051", binding="GRPC"), PEER) == []
