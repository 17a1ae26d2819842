"""Guesses: they are slowed, and do not take the machine."""

import asyncio
import threading
from dataclasses import dataclass, field, replace

import pytest

from jwt_issuer.folder import KeyFolder
from jwt_issuer.keys.keychain import Keychain
from jwt_issuer.oauth.client_secrets import SecretHash
from jwt_issuer.oauth.clients import Clients
from jwt_issuer.oauth.endpoint import AT_ONCE, WAITING, WAITING_EACH
from jwt_issuer.oauth.throttle import FREE
from tests.waiting import until

from .token_clients import ALICE, CHEAP, CI, MALLORY, Tokens, error_of, fail, form, post

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def keychain(tmp_path_factory: pytest.TempPathFactory) -> Keychain:
    """With no clock of its own, so that its tokens verify."""
    return Keychain(KeyFolder(tmp_path_factory.mktemp("keys")))


@pytest.fixture
def tokens(keychain: Keychain) -> Tokens:
    return Tokens(keychain)


async def test_the_sixth_failure_in_a_row_is_followed_by_a_wait(tokens: Tokens) -> None:
    await fail(tokens, FREE + 1)
    response = await post(tokens, form(client_secret="wrong"))
    assert error_of(response) == (429, "slow_down")
    assert response.headers["retry-after"] == "1"
    tokens.clock.now += 0.5
    assert (await post(tokens, form())).headers["retry-after"] == "1"
    tokens.clock.now += 0.5
    await fail(tokens, 1)
    assert (await post(tokens, form())).headers["retry-after"] == "2"


async def test_during_the_wait_the_right_secret_is_refused_too(tokens: Tokens) -> None:
    await fail(tokens, FREE + 1)
    assert error_of(await post(tokens, form())) == (429, "slow_down")
    tokens.clock.now += 1
    assert (await post(tokens, form())).status_code == 200


async def test_refusals_during_the_wait_do_not_lengthen_it(tokens: Tokens) -> None:
    await fail(tokens, FREE + 1)
    for _ in range(20):
        assert (await post(tokens, form(client_secret="wrong"))).status_code == 429
    tokens.clock.now += 1
    assert (await post(tokens, form())).status_code == 200


async def test_success_makes_up_for_failures(tokens: Tokens) -> None:
    await fail(tokens, FREE)
    assert (await post(tokens, form())).status_code == 200
    await fail(tokens, FREE)
    assert (await post(tokens, form())).status_code == 200


async def test_a_strangers_guesses_do_not_lock_the_client_out(tokens: Tokens) -> None:
    await fail(tokens, FREE + 1, peer=MALLORY)
    assert (await post(tokens, form(), MALLORY)).status_code == 429
    assert (await post(tokens, form(), ALICE)).status_code == 200
    assert (await post(tokens, form("bare"), MALLORY)).status_code == 200


async def test_what_a_client_may_not_have_is_no_failed_guess(tokens: Tokens) -> None:
    for _ in range(FREE + 2):
        assert (await post(tokens, form(scope="admin"))).status_code == 400
    assert (await post(tokens, form())).status_code == 200


@dataclass
class Watch:
    let: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    checked: int = 0
    running: int = 0
    most: int = 0


@dataclass(frozen=True)
class Watched(SecretHash):
    """Counts how often it is asked, and how many ask at once; answers when it is let, and always no."""

    watch: Watch = field(default_factory=Watch)

    def matches(self, secret: str) -> bool:
        watch = self.watch
        with watch.lock:
            watch.checked += 1
            watch.running += 1
            watch.most = max(watch.most, watch.running)
        assert watch.let.wait(20)
        with watch.lock:
            watch.running -= 1
        return False


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def held(keychain: Keychain, watch: Watch) -> Tokens:
    """It checks no secret to the end before `watch.let` is set."""
    return Tokens(keychain, Clients([replace(CI, secret=Watched(CHEAP, b"", b"", watch))]))


async def test_two_secrets_are_checked_at_once_and_so_many_wait(held: Tokens, watch: Watch) -> None:
    asked = [asyncio.create_task(post(held, form(), f"peer-{index}")) for index in range(AT_ONCE + WAITING)]
    await until(lambda: watch.running == AT_ONCE, "the first two")
    # The event loop is free meanwhile: it turns this one away at once.
    response = await post(held, form(), "one-more")
    assert error_of(response) == (503, "temporarily_unavailable")
    assert response.headers["retry-after"] == "2"
    assert watch.checked == AT_ONCE
    watch.let.set()
    assert {(await each).status_code for each in asked} == {401}
    assert (watch.checked, watch.most) == (AT_ONCE + WAITING, AT_ONCE)
    assert (await post(held, form(), "one-more")).status_code == 401


async def test_guesses_sent_all_at_once_are_slowed_like_others(held: Tokens, watch: Watch) -> None:
    asked = [asyncio.create_task(post(held, form())) for _ in range(40)]
    await until(lambda: watch.running == AT_ONCE, "the first two")
    watch.let.set()
    outcomes = [(await each).status_code for each in asked]
    assert watch.checked <= FREE + AT_ONCE
    assert outcomes.count(503) == 40 - AT_ONCE - WAITING_EACH
    assert outcomes.count(429) >= AT_ONCE + WAITING_EACH - FREE - AT_ONCE


async def test_the_wait_computes_no_hash(held: Tokens, watch: Watch) -> None:
    watch.let.set()
    await fail(held, FREE + 1)
    assert (await post(held, form())).status_code == 429
    assert watch.checked == FREE + 1


async def test_a_wait_is_told_without_waiting_for_a_turn(held: Tokens, watch: Watch) -> None:
    watch.let.set()
    await fail(held, FREE + 1, MALLORY)
    watch.let.clear()
    asked = [asyncio.create_task(post(held, form())) for _ in range(AT_ONCE)]
    await until(lambda: watch.running == AT_ONCE, "others that have all turns")
    assert error_of(await post(held, form(), MALLORY)) == (429, "slow_down")
    assert watch.running == AT_ONCE
    watch.let.set()
    await asyncio.gather(*asked)
