"""What is counted, logged and said of every request."""

import base64
import logging
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwt_issuer.folder import KeyFolder
from jwt_issuer.keys.keychain import Keychain
from jwt_issuer.keys.ring import KeyRing
from jwt_issuer.oauth.clients import Clients
from jwt_issuer.oauth.errors import CODES
from jwt_issuer.oauth.throttle import FREE
from jwt_issuer.stores import StoreAwayError

from .token_clients import CI, GRANT, SECRET, Tokens, basic, error_of, fail, form, post

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def keychain(tmp_path_factory: pytest.TempPathFactory) -> Keychain:
    """With no clock of its own, so that its tokens verify."""
    return Keychain(KeyFolder(tmp_path_factory.mktemp("keys")))


@pytest.fixture
def tokens(keychain: Keychain) -> Tokens:
    return Tokens(keychain)


@dataclass
class AwayStore:
    """A store that went away once its ring had been read."""

    ring: KeyRing

    def read(self) -> KeyRing:
        return self.ring

    def update(self, change: Callable[[KeyRing | None], KeyRing]) -> KeyRing:
        raise StoreAwayError("The keys cannot be reached. Start the store.")


async def test_a_store_that_is_away_is_said_and_is_nobodys_failure(
    keychain: Keychain, caplog: pytest.LogCaptureFixture
) -> None:
    never_signed = KeyRing.of(keychain.ring.keys[0].signing, 0)
    tokens = Tokens(Keychain(AwayStore(never_signed)), Clients([CI]))
    for _ in range(FREE + 2):
        response = await post(tokens, form())
        assert error_of(response) == (503, "temporarily_unavailable")
        assert response.headers["retry-after"] == "5"
        assert "keys" not in response.text
    assert "No token for client_id=ci: The keys cannot be reached. Start the store." in caplog.text


async def test_answers_are_counted_by_outcome(tokens: Tokens) -> None:
    assert {code: tokens.count(code) for code in ("issued", *CODES)} == dict.fromkeys(("issued", *CODES), 0)
    await post(tokens, form())
    await post(tokens, form(grant_type=""))
    await post(tokens, form(grant_type="password"))
    await post(tokens, form(scope="admin"))
    await post(tokens, form(audience="payroll"))
    await fail(tokens, FREE + 1)
    await post(tokens, form())
    assert {code: tokens.count(code) for code in ("issued", *CODES)} == {
        "issued": 1,
        "invalid_request": 1,
        "unsupported_grant_type": 1,
        "invalid_scope": 1,
        "invalid_target": 1,
        "invalid_client": FREE + 1,
        "slow_down": 1,
        "temporarily_unavailable": 0,
    }


async def test_the_log_tells_the_operator_which_half_was_wrong(tokens: Tokens, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "jwt_issuer")
    await post(tokens, form(client_secret="x"))
    await post(tokens, form(client_id="cj"))
    assert caplog.messages == [
        "Refused a client: a wrong secret. client_id='ci' peer='192.0.2.1' failures=1 next_in=0 s",
        "Refused a client: no client of this id. client_id='cj' peer='192.0.2.1' failures=1 next_in=0 s",
    ]


async def test_no_log_and_no_error_holds_a_secret_or_a_token(tokens: Tokens, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "jwt_issuer")
    secret = "Kq3vX9" * 7
    token = (await post(tokens, form())).json()["access_token"]
    answers = [
        await post(tokens, form(client_secret=secret)),
        await post(tokens, form(client_id=secret)),
        await post(tokens, GRANT, headers=basic(secret, "ci")),
        await post(tokens, form(grant_type=secret)),
        await post(tokens, form(scope=secret)),
        await post(tokens, form(audience=secret)),
    ]
    for text in (caplog.text, *(answer.text for answer in answers)):
        assert secret[:20] not in text
        assert SECRET not in text
        assert token.rpartition(".")[2] not in text
    assert "Issued a token. client_id=ci sub=alice aud=mock-llm jti=" in caplog.text


async def test_a_stranger_cannot_write_lines_of_the_log(tokens: Tokens, caplog: pytest.LogCaptureFixture) -> None:
    await post(tokens, form(client_id="a\nIssued\x1b[2J" + "é" * 1000), "evil\npeer")
    [said] = caplog.messages
    assert said.isprintable()
    assert said.isascii()
    assert len(said) < 300


DESCRIBABLE = {chr(code) for code in range(0x20, 0x7F)} - {'"', "\\"}
headers = st.fixed_dictionaries(
    {"content-type": st.sampled_from(["application/x-www-form-urlencoded", "text/plain"])},
    optional={
        "authorization": st.one_of(
            st.binary(max_size=40).map(lambda octets: "Basic " + base64.b64encode(octets).decode()),
            st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40),
        ),
    },
)


pieces = st.sampled_from(
    [
        b"grant_type=",
        b"client_credentials",
        b"client_id=",
        b"ci",
        b"&",
        b"client_secret=",
        b"=",
        b"%",
        b"scope=",
        b"\0",
        b"\xff",
    ]
)


bodies = st.one_of(st.binary(max_size=200), st.lists(pieces | st.binary(max_size=4), max_size=20).map(b"".join))


@settings(deadline=None)
@given(bodies, headers)
async def test_whatever_is_sent_the_answer_is_an_error_of_the_rfc(
    keychain: Keychain, body: bytes, sent: dict[str, str]
) -> None:
    tokens = Tokens(keychain)
    raw = [(name.encode(), value.encode("latin-1")) for name, value in sent.items()]
    async with tokens.http() as http:
        response = await http.post("/token", content=body, headers=raw)
    status, code = error_of(response)
    assert (status == 401) == (code == "invalid_client")
    assert status in {400, 401}
    assert code in CODES
    assert set(response.json()["error_description"]) <= DESCRIBABLE
