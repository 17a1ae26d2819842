import logging
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import jwt
import pytest

from jwt_issuer.renewal import LONGEST_SLEEP, Renewal
from jwt_issuer.tokens import Mint, Subject, TokenFiles

pytestmark = pytest.mark.anyio

START = 1_700_000_000.0
TTL = 600


class EnoughError(Exception):
    """Ends an endless loop."""


@dataclass
class Time:
    """A clock that only sleeping moves, for so many sleeps; `jumps` move it more at the sleep of that number."""

    sleeps: int
    now: float = START
    jumps: dict[int, float] = field(default_factory=dict)
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        if len(self.slept) == self.sleeps:
            raise EnoughError
        self.slept.append(seconds)
        self.now += seconds + self.jumps.get(len(self.slept), 0)
        await anyio.lowlevel.checkpoint()


def issued(token: Path) -> int:
    claims = jwt.decode(token.read_text(), options={"verify_signature": False})
    return int(claims["iat"] - START)


async def issued_over(renewal: Renewal, token: Path) -> list[int]:
    """The distinct `iat` of the token that is on disk before each sleep, in seconds since START."""
    seen: list[int] = []
    sleep = renewal.sleep

    async def look_and_sleep(seconds: float) -> None:
        if issued(token) not in seen:
            seen.append(issued(token))
        await sleep(seconds)

    renewal.sleep = look_and_sleep
    renewal.renew()
    with pytest.raises(EnoughError):
        await renewal.run()
    return seen


def a_renewal(folder: Path, mint: Mint, time: Time) -> Renewal:
    return Renewal(TokenFiles(folder, mint, (Subject("alice", "dba"),)), time.clock, time.sleep)


async def test_tokens_are_renewed_at_half_their_life(tmp_path: Path, mint: Mint) -> None:
    time = Time(sleeps=31)
    assert await issued_over(a_renewal(tmp_path, mint, time), tmp_path / "alice.jwt") == [0, 300, 600, 900]
    assert set(time.slept) == {LONGEST_SLEEP}


async def test_a_short_life_means_short_sleeps(tmp_path: Path, mint: Mint) -> None:
    short = Mint(mint.key, mint.issuer, mint.audience, ttl=10)
    time = Time(sleeps=3)
    assert await issued_over(a_renewal(tmp_path, short, time), tmp_path / "alice.jwt") == [0, 5, 10, 15]


async def test_a_machine_that_was_suspended_renews_as_soon_as_it_looks_at_the_clock(tmp_path: Path, mint: Mint) -> None:
    time = Time(sleeps=2, jumps={1: 86_400})
    assert await issued_over(a_renewal(tmp_path, mint, time), tmp_path / "alice.jwt") == [0, 86_430]


async def test_a_clock_that_is_set_back_leaves_no_token_from_the_future(tmp_path: Path, mint: Mint) -> None:
    time = Time(sleeps=2, jumps={1: -3_600})
    assert await issued_over(a_renewal(tmp_path, mint, time), tmp_path / "alice.jwt") == [0, -3_570]


async def test_a_renewal_that_fails_is_logged_and_tried_again(
    tmp_path: Path, mint: Mint, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    folder = tmp_path / "tokens"
    time = Time(sleeps=12)
    renewal = a_renewal(folder, mint, time)
    renewal.renew()
    kept = folder.rename(tmp_path / "kept")
    folder.write_text("in the way")
    sleep = renewal.sleep

    async def clear_the_way(seconds: float) -> None:
        if len(time.slept) == 11:
            folder.unlink()
            kept.rename(folder)
        await sleep(seconds)

    renewal.sleep = clear_the_way
    with pytest.raises(EnoughError):
        await renewal.run()
    assert [record.levelname for record in caplog.records] == ["INFO", "ERROR", "ERROR", "INFO"]
    assert issued(folder / "alice.jwt") == 12 * LONGEST_SLEEP


async def test_the_log_says_how_many_tokens_and_never_a_token(
    tmp_path: Path, mint: Mint, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    a_renewal(tmp_path, mint, Time(sleeps=0)).renew()
    assert f"Wrote 1 tokens to {tmp_path}, valid for {TTL} s." in caplog.text
    assert (tmp_path / "alice.jwt").read_text()[:20] not in caplog.text
