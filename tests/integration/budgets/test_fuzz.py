"""Whatever is sent to the three ports, the service stays up, and what it refuses moves no budget."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import grpc
import httpx
import pytest
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest, CheckResponse
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitRequest, RateLimitResponse
from google.protobuf.json_format import ParseDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budgets.documents.reserved import RESERVED
from budgets.wire import HITS_CAP, LONGEST, MOST_DESCRIPTORS, MOST_ENTRIES
from tests.integration.budgets.services import CHECK, SHOULD_RATE_LIMIT, Service, running_service
from tests.integration.budgets.stores import RunningValkey
from tests.unit.budgets.policies import budget_document, entry, key_policy, lay_out, secret

pytestmark = pytest.mark.anyio

DOMAIN = "fuzzed"
TEAM = {"limit": {"unit": "Tokens", "amount": 2**32 - 1}, "window": {"unit": "Month"}}
FOLDER = {
    "budgets.yaml": budget_document(entry("team", {"team": "*"}, **TEAM), entry("dba", {"team": "dba"}, **TEAM)),
    "keys.yaml": secret("keys", stringData={"alice": "sk-alice-abc123def456"}),
    "source.yaml": key_policy({"secretRef": {"name": "keys"}}, name="source"),
}


@pytest.fixture(scope="module")
async def service(shared_valkey: RunningValkey, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    policy = lay_out(tmp_path_factory.mktemp("policy"), FOLDER)
    async with running_service(shared_valkey.url, policy, BUDGETS_DOMAIN=DOMAIN) as running:
        await running.charge({"team": "dba"}, "one", input=70)
        yield running


@dataclass
class Books:
    """What the budgets hold, as it should be."""

    http: httpx.Client

    def __post_init__(self) -> None:
        self.standing = self._read()

    def moved(self) -> bool:
        before, self.standing = self.standing, self._read()
        return self.standing != before

    def _read(self) -> dict[str, tuple[int, int, int]]:
        budgets = self.http.get("/v1/budgets").json()["budgets"]
        return {each["id"]: (each["limit"], each["used"], each["reserved"]) for each in budgets}


@dataclass(frozen=True)
class Sent:
    content: bytes

    def __repr__(self) -> str:
        return f"{self.content[:400]!r} ({len(self.content)} bytes)"


Attack = Callable[[bytes, Books], None]


async def fuzz(service: Service, examples: int, contents: st.SearchStrategy[bytes], attack: Attack) -> None:
    """Many examples in a thread, since hypothesis is no coroutine; then a look at how the service has taken it."""
    process = service.supervisor.pid_of("budgets")

    def attacked() -> None:
        with httpx.Client(base_url=service.http.base_url, trust_env=False) as http:
            books = Books(http)

            @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
            @given(contents.map(Sent))
            def run(sent: Sent) -> None:
                attack(sent.content, books)

            run()

    await asyncio.to_thread(attacked)
    assert (await service.http.get("/readyz")).status_code == 200
    assert service.supervisor.pid_of("budgets") == process
    assert not [line for line in service.lines if "Traceback" in line or "Error:" in line]


TEXT = st.text(max_size=12) | st.sampled_from(["", "dba", "team", "x" * LONGEST, "x" * (LONGEST + 1), "\x00", "\n", "😀", "*"])
ENTRY = st.fixed_dictionaries(
    {"key": st.sampled_from([*sorted(RESERVED), "team", "user", "model"]) | TEXT, "value": TEXT | st.just("input")}
)
HITS = st.sampled_from([0, 1, 200, 503, HITS_CAP, HITS_CAP + 1, 2**63, 2**64 - 1]).map(str)
DESCRIPTOR = st.fixed_dictionaries(
    {"entries": st.lists(ENTRY, max_size=5)},
    optional={
        "hitsAddend": HITS,
        "limit": st.just({"requestsPerUnit": 1, "unit": "DAY"}),
    },
)
ASKED = st.fixed_dictionaries(
    {"domain": st.just(DOMAIN) | TEXT, "descriptors": st.lists(DESCRIPTOR, max_size=4)},
    optional={"hitsAddend": st.sampled_from([0, 1, HITS_CAP])},
).map(lambda asked: ParseDict(asked, RateLimitRequest()).SerializeToString())
TOO_MUCH = st.sampled_from(
    [
        {
            "descriptors": [
                {"entries": [{"key": f"k{n}", "value": "v"}], "hitsAddend": "0"} for n in range(MOST_DESCRIPTORS + 1)
            ]
        },
        {"descriptors": [{"entries": [{"key": "k", "value": "v"}] * (MOST_ENTRIES + 1), "hitsAddend": "5"}]},
        {"descriptors": [{"entries": [{"key": "team", "value": "x" * 1_000_000}], "hitsAddend": "5"}]},
    ]
).map(lambda asked: ParseDict({"domain": DOMAIN, **asked}, RateLimitRequest()).SerializeToString())
HEADERS = st.dictionaries(st.just("authorization") | TEXT, st.just("Bearer x") | TEXT, max_size=4)
CHECKED = HEADERS.map(
    lambda headers: ParseDict({"attributes": {"request": {"http": {"headers": headers}}}}, CheckRequest()).SerializeToString()
)


@st.composite
def damaged(draw: st.DrawFn, messages: st.SearchStrategy[bytes]) -> bytes:
    """A message of which some bytes are others, or missing."""
    message = bytearray(draw(messages))
    for _ in range(draw(st.integers(1, 4)) if message else 0):
        message[draw(st.integers(0, len(message) - 1))] = draw(st.integers(0, 255))
    return bytes(message[: draw(st.integers(0, len(message)))])


def is_one_sentence(details: str | None) -> bool:
    return (
        bool(details) and details is not None and details.endswith(".") and "\n" not in details and "Exception" not in details
    )


async def test_no_message_to_the_rate_limit_api_brings_it_down_or_moves_a_budget_where_it_is_refused(service: Service) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{service.environment['BUDGETS_GRPC_PORT']}") as channel:
        method: grpc.UnaryUnaryMultiCallable[bytes, RateLimitResponse] = channel.unary_unary(
            SHOULD_RATE_LIMIT, response_deserializer=RateLimitResponse.FromString
        )

        def attack(message: bytes, books: Books) -> None:
            try:
                method(message, timeout=20)
            except grpc.RpcError as refusal:
                assert refusal.code() is grpc.StatusCode.INVALID_ARGUMENT, (refusal.code(), refusal.details())
                assert is_one_sentence(refusal.details()), refusal.details()
                assert not books.moved()
            else:
                books.moved()

        await fuzz(service, 250, ASKED | TOO_MUCH | damaged(ASKED) | st.binary(max_size=300), attack)


async def test_no_message_to_the_authorization_api_lets_a_stranger_in_or_brings_it_down(service: Service) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{service.environment['BUDGETS_GRPC_PORT']}") as channel:
        method: grpc.UnaryUnaryMultiCallable[bytes, CheckResponse] = channel.unary_unary(
            CHECK, response_deserializer=CheckResponse.FromString
        )

        def attack(message: bytes, books: Books) -> None:
            try:
                answer = method(message, timeout=20)
            except grpc.RpcError as refusal:
                assert refusal.code() is grpc.StatusCode.INVALID_ARGUMENT, (refusal.code(), refusal.details())
                assert is_one_sentence(refusal.details()), refusal.details()
            else:
                assert answer.denied_response.status.code == 401
            assert not books.moved()

        await fuzz(service, 120, CHECKED | damaged(CHECKED) | st.binary(max_size=300), attack)


@pytest.mark.parametrize("path", ["/unknown.Service/Method", "/envoy.service.ratelimit.v3.RateLimitService/Unknown"])
async def test_a_method_that_there_is_not_is_said_to_be_unknown(service: Service, path: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await cast(Any, service.channel).unary_unary(path)(b"")
    assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.sampled_from(["\ud800", 10**30, -1, 0.5]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
FIELD = st.sampled_from(["team", "budget", "limit", "windows", "extra"])
BUDGET = st.sampled_from(["default/limits/team/dba", "no-such-budget"])
BODY = st.one_of(
    st.dictionaries(FIELD, JSON | BUDGET | st.integers(1, 1000), max_size=4).map(json.dumps).map(str.encode),
    st.fixed_dictionaries({"budget": BUDGET, "limit": JSON}, optional={"windows": JSON}).map(json.dumps).map(str.encode),
    JSON.map(json.dumps).map(str.encode),
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"[" * 100_000,
            b'{"team":' * 50_000,
            b'{"budget": "default/limits/team/dba", "limit": ' + b"9" * 5_000 + b"}",
            b'{"team": "' + b"x" * 1_000_000 + b'"}',
            b'{"team": NaN}',
            b'{"team": "\xff"}',
        ]
    ),
)
PATH = st.sampled_from(
    ["/v1/budgets", "/v1/budgets/reset", "/v1/budgets/raise", "/v1/budget", "/metrics", "/healthz", "/readyz"]
)
STRANGE_PATH = st.sampled_from(["/", "*", "/v1/../metrics", "/%00", "/v1/budgets/reset?team=dba", "/%ff", "//", "/docs"])
METHOD = st.just("POST") | st.sampled_from(["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "get", "BREW"])
CONTENT_TYPE = st.sampled_from(["application/json"] * 4 + ["text/plain", "application/x-www-form-urlencoded", "a;b;;=", ""])
HEADER = st.sampled_from(["x-team-id", "x-user-id", "x-dimension-tier", "x-dimension-", "accept", "x-other"])
VALUE = st.binary(max_size=20).map(lambda value: value.translate(None, b"\r\n\x00")) | st.just(b"dba")


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    body = draw(BODY)
    path = draw(PATH | STRANGE_PATH | st.text("abc/.%?&=0", max_size=10).map("/".__add__))
    head = f"{draw(METHOD)} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    head += f"content-type: {draw(CONTENT_TYPE)}\r\ncontent-length: {len(body)}\r\n"
    headers = draw(st.lists(st.tuples(HEADER, VALUE), max_size=4))
    return head.encode() + b"".join(name.encode() + b": " + value + b"\r\n" for name, value in headers) + b"\r\n" + body


def answered(port: str, request: bytes, *, whole: bool) -> bytes:
    """All that is answered until the connection is closed. A request that may not be whole is said to have ended."""
    answer = b""
    with socket.create_connection(("127.0.0.1", int(port)), timeout=20) as connection, suppress(ConnectionError):
        connection.sendall(request)
        if not whole:
            connection.shutdown(socket.SHUT_WR)
        while received := connection.recv(65_536):
            answer += received
    return answer


def attack_with(port: str, *, whole: bool) -> Attack:
    def attack(request: bytes, books: Books) -> None:
        answer = answered(port, request, whole=whole)
        # Of a body that nobody reads, the rest can come after the answer, which a reset then takes along.
        assert answer or not whole or len(request) > 65_536
        status = int(answer.split(b" ", 2)[1]) if answer else 400
        assert status < 500, answer[:2000]
        assert b"Traceback" not in answer
        assert b'File "' not in answer
        may_change = status == 200 and request.startswith(b"POST")
        assert not books.moved() or may_change

    return attack


@pytest.mark.parametrize("port", ["BUDGETS_HTTP_PORT", "BUDGETS_BALANCE_PORT"])
async def test_no_http_request_is_answered_with_a_fault_or_moves_a_budget_where_it_is_refused(
    service: Service, port: str
) -> None:
    await fuzz(service, 250, requests(), attack_with(service.environment[port], whole=True))


@pytest.mark.parametrize("port", ["BUDGETS_HTTP_PORT", "BUDGETS_BALANCE_PORT"])
async def test_no_bytes_on_an_http_port_are_answered_with_a_fault_or_move_a_budget(service: Service, port: str) -> None:
    contents = damaged(requests()) | st.binary(max_size=200)
    await fuzz(service, 120, contents, attack_with(service.environment[port], whole=False))
