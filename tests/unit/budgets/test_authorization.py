import hashlib
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest, CheckResponse

from budgets.documents.secrets import KeySource, SecretDocument
from budgets.virtual_keys.authorization import SERVICE, AuthorizationService, bearer
from budgets.virtual_keys.keys import KeyRing

pytestmark = pytest.mark.anyio

ALICE = "sk-alice-abc123def456"
METADATA = {"user_id": "alice", "team": "dba", "tier": "free", "tenant_id": "t-1"}


def ring(key: str = ALICE, metadata: dict[str, str] = METADATA) -> KeyRing:
    text = json.dumps({"key": key, "metadata": metadata})
    return KeyRing.from_documents(
        [SecretDocument(Path("keys.yaml"), "agents", "keys", {}, {"alice-key": text})], KeySource(name="keys")
    )


def request(*authorization: str) -> CheckRequest:
    asked = CheckRequest()
    asked.attributes.source.address.socket_address.address = "192.0.2.7"
    for value in authorization:
        asked.attributes.request.http.headers["authorization"] = value
    return asked


class Caller:
    """Asks the service over gRPC, as Envoy does."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.keys = ring()
        self._check: Any = channel.unary_unary(
            f"/{SERVICE}/Check",
            request_serializer=CheckRequest.SerializeToString,
            response_deserializer=CheckResponse.FromString,
        )

    async def ask(self, *authorization: str) -> CheckResponse:
        return await self._check(request(*authorization))


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    server: grpc.aio.Server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        caller = Caller(channel)
        server.add_generic_rpc_handlers((AuthorizationService(lambda: caller.keys).method_handlers(),))
        await server.start()
        yield caller
        await server.stop(None)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_a_known_key_is_exchanged_for_headers_that_tell_who_calls(caller: Caller, scheme: str) -> None:
    answer = await caller.ask(f"{scheme} {ALICE}")
    assert answer.status.code == 0
    assert answer.WhichOneof("http_response") == "ok_response"
    assert {each.header.key: each.header.value for each in answer.ok_response.headers} == {
        "x-user-id": "alice",
        "x-virtual-key": "alice-key",
        "x-team-id": "dba",
        "x-dimension-tier": "free",
        "x-dimension-tenant_id": "t-1",
    }
    assert list(answer.ok_response.headers_to_remove) == ["authorization"]


async def test_its_headers_take_the_place_of_what_the_caller_sent(caller: Caller) -> None:
    answer = await caller.ask(f"Bearer {ALICE}")
    actions = {each.append_action for each in answer.ok_response.headers}
    assert actions == {answer.ok_response.headers[0].OVERWRITE_IF_EXISTS_OR_ADD}


async def test_a_key_without_a_team_sets_no_team(caller: Caller) -> None:
    caller.keys = ring(metadata={})
    answer = await caller.ask(f"Bearer {ALICE}")
    assert {each.header.key for each in answer.ok_response.headers} == {"x-user-id", "x-virtual-key"}


UNKNOWN = "sk-unknown-000000"


@pytest.mark.parametrize(
    "authorization",
    [(), ("",), ("Bearer",), ("Bearer ",), (ALICE,), (f"Basic {ALICE}",), (f"Bearer {UNKNOWN}",), (f"Bearer {ALICE} {ALICE}",)],
)
async def test_any_other_caller_is_answered_with_a_401_that_openai_clients_understand(
    caller: Caller, authorization: tuple[str, ...]
) -> None:
    answer = await caller.ask(*authorization)
    assert answer.status.code == grpc.StatusCode.UNAUTHENTICATED.value[0]
    denied = answer.denied_response
    assert denied.status.code == 401
    assert {each.header.key: each.header.value for each in denied.headers} == {
        "content-type": "application/json",
        "www-authenticate": "Bearer",
    }
    error = json.loads(denied.body)["error"]
    assert error.pop("message").startswith("The API key is ")
    assert error == {"type": "authentication_error", "code": "invalid_api_key", "param": None}


async def test_keys_are_those_in_force_at_the_call(caller: Caller) -> None:
    assert (await caller.ask(f"Bearer {ALICE}")).HasField("ok_response")
    caller.keys = ring(UNKNOWN)
    assert (await caller.ask(f"Bearer {ALICE}")).HasField("denied_response")


async def test_a_refusal_is_logged_with_the_callers_address_and_nothing_of_the_key(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = await caller.ask(f"Bearer {UNKNOWN}")
        await caller.ask(f"Bearer {ALICE}")
    ours = [record.getMessage() for record in caplog.records if record.name == "budgets"]
    assert ours == ["refused a caller whose API key is not known: caller=192.0.2.7"]
    for shown in (caplog.text, str(answer)):
        assert not any(key in shown or hashlib.sha256(key.encode()).hexdigest() in shown for key in (UNKNOWN, ALICE))


@pytest.mark.parametrize(
    ("header", "credential"),
    [
        ("Bearer x", "x"),
        ("bEARER  x ", "x"),
        ("Bearer", None),
        ("Bearer  ", None),
        ("Bearerx", None),
        ("Token x", None),
        ("", None),
    ],
)
def test_a_credential_is_what_follows_the_scheme(header: str, credential: str | None) -> None:
    assert bearer(header) == credential
