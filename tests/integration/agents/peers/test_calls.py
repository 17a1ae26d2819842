"""Agents called over A2A that do as it has it."""

import asyncio
import logging
from collections.abc import Mapping

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agents.extension import URI
from agents.outcomes import ToolCall
from agents.peers.directory import parse_peers
from agents.progress import ToolAnswered, ToolCalled
from tests.integration.agents.peers.servers import (
    TRACE,
    Servers,
    Told,
    answers,
    asking,
    asks_back,
    breaks,
    functions,
    never_ends,
    peer,
    rejects,
    spends_its_budget,
    task,
)
from tests.waiting import until

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(
    ("interfaces", "version"),
    [
        ([("JSONRPC", "1.0")], "1.0"),
        ([("JSONRPC", "0.3.0")], "0.3"),
        ([("JSONRPC", "0.3.0"), ("JSONRPC", "1.0")], "1.0"),
        ([("HTTP+JSON", "1.0")], "1.0"),
    ],
)
async def test_a_peer_answers(servers: Servers, interfaces: list[tuple[str, str]], version: str, streaming: bool) -> None:
    support = await servers.support(answers, *interfaces, streaming=streaming)
    told = Told()
    assert await servers.peers(peer(support.url)).call(asking()) == "Use an index."
    assert support.contexts[0].get_user_input() == "Why is it slow?"
    assert support.headers()["a2a-version"] == version
    assert told.run.usage.total == 12
    assert told.run.usage.peers[0].peers[0].agent == "web"


async def test_a_peer_is_told_where_the_task_comes_from(servers: Servers) -> None:
    support = await servers.support()
    name = "ā@example.com".encode().decode("latin-1")
    Told(user=name, path=("kagent/web-agent",), allowance=1000)
    await servers.peers(peer(support.url)).call(asking(), share=3)
    headers = support.headers()
    assert {key: headers.get(key) for key in ("x-user-id", "x-kagent-source", "traceparent", "a2a-extensions")} == {
        "x-user-id": name,
        "x-kagent-source": "agent",
        "traceparent": TRACE,
        "a2a-extensions": URI,
    }
    assert (headers["x-kagent-parent-context-id"], headers["x-kagent-root-context-id"]) == ("context", "root")
    assert "authorization" not in headers
    assert support.metadata() == {"path": ["kagent/web-agent", "kagent/dba-agent"], "allowance": {"tokens": 333}}


async def test_without_an_allowance_none_is_handed_down(servers: Servers) -> None:
    support = await servers.support()
    Told()
    await servers.peers(peer(support.url)).call(asking())
    assert support.metadata() == {"path": ["kagent/dba-agent"]}


async def test_a_peer_is_not_asked_where_no_token_is_left(servers: Servers) -> None:
    support = await servers.support()
    told = Told(allowance=2)
    peers = servers.peers(peer(support.url))
    assert "nothing is left" in await peers.call(asking(), share=3)
    assert not support.contexts
    assert await peers.call(asking(), share=2) == "Use an index."
    assert told.run.allowance_left == 0
    assert "nothing is left" in await peers.call(asking())


async def test_a_peer_remembers_one_conversation(servers: Servers) -> None:
    support = await servers.support()
    told = Told()
    peers = servers.peers(peer(support.url), peer(support.url, "other"))
    await peers.call(asking())
    await peers.call(asking())
    await peers.call(asking(tool="other"))
    told.run.context_id = "another"
    await peers.call(asking())
    told.run.context_id, told.run.agent = "context", "kagent/web-agent"
    await peers.call(asking())
    first, second, *others = [context.context_id for context in support.contexts]
    assert first == second
    assert len({first, *others}) == 4


async def test_who_listens_sees_the_call_and_its_answer(servers: Servers) -> None:
    support = await servers.support()
    told = Told()
    await servers.peers(peer(support.url)).call(asking())
    assert told.progress == [
        ToolCalled("call-1", "support", {"message": "Why is it slow?"}),
        ToolAnswered(
            "call-1",
            "support",
            {
                "result": "Use an index.",
                "subagent_session_id": support.contexts[0].context_id,
                "kagent_usage_metadata": {"promptTokenCount": 5, "candidatesTokenCount": 7, "totalTokenCount": 12},
            },
        ),
    ]


async def test_one_line_is_logged_of_a_call(servers: Servers, caplog: pytest.LogCaptureFixture) -> None:
    support = await servers.support()
    Told()
    with caplog.at_level(logging.INFO, "agents"):
        await servers.peers(peer(support.url)).call(asking())
    assert [record.getMessage() for record in caplog.records if record.name.startswith("agents")] == [
        f"Called agent support in context {support.contexts[0].context_id} for user 'alice': TASK_STATE_COMPLETED, 12 tokens."
    ]


async def test_a_spent_budget_is_an_answer_and_its_usage_counts(servers: Servers) -> None:
    support = await servers.support(spends_its_budget, ("JSONRPC", "0.3.0"))
    told = Told()
    text = await servers.peers(peer(support.url)).call(asking())
    assert "its team's budget is spent (team-token-budget/dba/hour: 5,012 of 5,000 tokens)" in text
    assert "it resets at 15:00 UTC" in text
    assert told.run.usage.total == 1


async def test_a_peer_whose_budget_is_spent_is_not_asked_again_in_the_turn(servers: Servers) -> None:
    support, other = await servers.support(spends_its_budget), await servers.support()
    told = Told()
    peers = servers.peers(peer(support.url), peer(other.url, "other"))
    first = await peers.call(asking())
    assert await peers.call(asking("And now?")) == first
    assert await peers.call(asking(tool="other")) == "Use an index."
    assert (len(support.contexts), len(other.contexts)) == (1, 1)
    assert told.run.usage.total == 13
    Told()
    await peers.call(asking())
    assert len(support.contexts) == 2


async def test_a_peer_that_failed_may_be_asked_again_in_the_turn(servers: Servers) -> None:
    support = await servers.support(breaks)
    Told()
    peers = servers.peers(peer(support.url))
    for _ in range(2):
        await peers.call(asking())
    assert len(support.contexts) == 2


async def test_a_refused_circle_is_an_answer(servers: Servers) -> None:
    support = await servers.support(rejects)
    Told()
    assert await servers.peers(peer(support.url)).call(asking()) == "support refused the task: A circle: a -> b -> a."


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_peer_that_asks_back_is_not_left_waiting(servers: Servers, streaming: bool) -> None:
    support = await servers.support(asks_back, streaming=streaming)
    Told()
    text = await servers.peers(peer(support.url)).call(asking())
    assert text.startswith("support asks back")
    assert text.endswith("Which table?")
    assert support.cancelled == [support.contexts[0].task_id]


async def test_a_peer_that_breaks_is_an_answer(servers: Servers) -> None:
    support = await servers.support(breaks)
    Told()
    assert (await servers.peers(peer(support.url)).call(asking())).startswith("support failed")


@pytest.mark.parametrize(("version", "streaming"), [("1.0", True), ("1.0", False), ("0.3.0", True), ("0.3.0", False)])
async def test_a_slow_peer_is_told_to_stop(servers: Servers, version: str, streaming: bool) -> None:
    support = await servers.support(never_ends, ("JSONRPC", version), streaming=streaming)
    Told()
    text = await servers.peers(peer(support.url), timeout=2).call(asking())
    assert text == "support did not answer within 2 seconds and was told to stop. Answer without it."
    assert support.cancelled == [support.contexts[0].task_id]


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_cancelled_call_is_cancelled_at_the_peer(
    servers: Servers, streaming: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "agents.peers")
    support = await servers.support(never_ends, streaming=streaming)
    told = Told()
    call = asyncio.create_task(servers.peers(peer(support.url)).call(asking()))
    await until(lambda: "works on task" in caplog.text, "the first event")
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await until(lambda: support.cancelled == [support.contexts[0].task_id], "the peer's cancellation")
    assert [type(progress) for progress in told.progress] == [ToolCalled]


async def test_closing_waits_for_the_last_cancellation(servers: Servers, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "agents.peers")
    support = await servers.support(never_ends)
    Told()
    peers = servers.peers(peer(support.url))
    call = asyncio.create_task(peers.call(asking()))
    await until(lambda: "works on task" in caplog.text, "the first event")
    call.cancel()
    await asyncio.wait([call])
    await peers.aclose()
    assert support.cancelled == [support.contexts[0].task_id]


async def test_a_tool_has_its_cards_description(servers: Servers) -> None:
    support = await servers.support()
    Told()
    (tool,) = await functions(servers.peers(peer(support.url)))
    assert tool["description"].endswith("Answers support questions.")


async def test_whom_a_call_could_not_reach_is_not_offered(servers: Servers) -> None:
    support = await servers.support()
    peers = servers.peers(peer(support.url), peer(support.url, "kagent/web-agent"))
    Told(path=("kagent/web-agent",))
    assert [tool["name"] for tool in await functions(peers)] == ["support"]
    assert "only support" in await peers.call(asking(tool="kagent__NS__web_agent"))
    Told(path=("a", "b"))
    assert len(await peers.tools()) == 2
    Told(path=("a", "b", "c"))
    assert await peers.tools() == []
    assert "there are none here" in await peers.call(asking())
    assert not support.contexts


async def test_arguments_that_cannot_be_read_are_told_to_the_llm(servers: Servers) -> None:
    support = await servers.support()
    told = Told()
    text = await servers.peers(peer(support.url)).call(ToolCall("call-1", "support", '{"message": "Why'))
    assert '{"message": "..."}' in text
    assert told.progress == [ToolCalled("call-1", "support", {}), ToolAnswered("call-1", "support", {"result": text})]
    assert not support.contexts


async def test_a_card_that_points_elsewhere_is_not_followed(servers: Servers, caplog: pytest.LogCaptureFixture) -> None:
    victim = await servers.support()
    support = await servers.support(card_url=victim.url)
    Told()
    with caplog.at_level(logging.WARNING, "agents"):
        assert await servers.peers(peer(support.url)).call(asking()) == "Use an index."
    assert (len(support.contexts), len(victim.contexts)) == (1, 0)
    assert victim.url in caplog.text


async def test_a_card_without_a_way_to_speak_is_an_answer(servers: Servers) -> None:
    support = await servers.support(answers, ("GRPC", "1.0"))
    Told()
    assert "neither JSON-RPC nor HTTP+JSON" in await servers.peers(peer(support.url)).call(asking())


async def test_kagents_controller_is_told_who_calls(servers: Servers) -> None:
    seen: list[Mapping[str, str]] = []
    users: list[str] = []

    def to_controller(user: str) -> dict[bytes, bytes]:
        users.append(user)
        return {b"authorization": b"Bearer kagents", b"x-agent-name": b"kagent__NS__dba_agent"}

    def app(url: str) -> Starlette:
        async def rpc(request: Request) -> Response:
            seen.append(dict(request.headers))
            return JSONResponse({"jsonrpc": "2.0", "id": "1", "result": {"task": task("COMPLETED", "Use an index.")}})

        async def well_known(request: Request) -> Response:
            seen.append(dict(request.headers))
            interface = {"url": "http://outside/", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
            return JSONResponse({"name": "support", "supportedInterfaces": [interface]})

        at = "/api/a2a/kagent/support/"
        return Starlette(routes=[Route(at, rpc, methods=["POST"]), Route(f"{at}.well-known/agent-card.json", well_known)])

    Told()
    known = parse_peers("support", await servers.serve(app), "kagent")
    peers = servers.peers(*known, to_controller=to_controller)
    assert await peers.call(asking(tool="kagent__NS__support")) == "Use an index."
    assert [(each["authorization"], each["x-agent-name"]) for each in seen] == [("Bearer kagents", "kagent__NS__dba_agent")] * 2
    assert set(users) == {"alice"}
