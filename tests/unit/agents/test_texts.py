from datetime import UTC, datetime, timedelta

import pytest

from agents.outcomes import BudgetExhausted, IdentityRefused, Meter, Outcome, RequestRefused, Throttled, UpstreamFailed
from agents.texts import reply_to
from tests.unit.agents.doubles import NOON, SPENT, answered

SEED = "Sorry — your team's LLM token budget is exhausted. Please try again later. (HTTP 429 from the gateway; team='dba'.)"


def reset_sentence(at: datetime | None, seconds: int | None = None, now: datetime = NOON) -> str:
    text = reply_to(BudgetExhausted(429, None, at, seconds, Meter()), "dba", now)
    assert text.startswith(f"{SEED} ")
    return text.removeprefix(f"{SEED} ")


def test_an_answer_is_what_the_model_said() -> None:
    assert reply_to(answered("Use an index."), "dba") == "Use an index."


def test_the_users_sentence_word_for_word() -> None:
    assert reply_to(SPENT, "dba", NOON) == f"{SEED} It resets at 15:00 UTC, in 20 minutes."


def test_the_status_and_the_team_are_those_that_came() -> None:
    text = reply_to(BudgetExhausted(402, None, None, None, Meter()), "o'hara", NOON)
    assert """(HTTP 402 from the gateway; team="o'hara".)""" in text


def test_without_a_time_the_user_is_told_so() -> None:
    assert reset_sentence(None) == "The gateway did not say when it resets."


def test_the_time_is_now_where_none_is_given() -> None:
    past, future = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1, seconds=1)
    assert reply_to(BudgetExhausted(429, None, past, None, Meter()), "dba").endswith("It should have reset by now.")
    assert "in 60 minutes." in reply_to(BudgetExhausted(429, None, future, None, Meter()), "dba")


def test_seconds_count_from_now() -> None:
    assert reset_sentence(None, 1200) == "It resets at 15:00 UTC, in 20 minutes."


def test_a_time_is_better_than_seconds() -> None:
    assert reset_sentence(NOON + timedelta(hours=1), 60) == "It resets at 15:40 UTC, in 60 minutes."


@pytest.mark.parametrize("seconds", [0, -1, -5000])
def test_a_reset_in_the_past_is_not_promised(seconds: int) -> None:
    assert reset_sentence(NOON + timedelta(seconds=seconds)) == "It should have reset by now."


@pytest.mark.parametrize(
    ("left", "sentence"),
    [
        (timedelta(milliseconds=1), "It resets at 14:40 UTC, in 1 second."),
        (timedelta(seconds=45), "It resets at 14:41 UTC, in 45 seconds."),
        (timedelta(seconds=60), "It resets at 14:41 UTC, in 1 minute."),
        (timedelta(seconds=1199.8), "It resets at 15:00 UTC, in 20 minutes."),
        (timedelta(hours=2), "It resets at 16:40 UTC, in 2 hours."),
        (timedelta(hours=9, minutes=20), "It resets at 00:00 UTC on 22 November 2026, in 9 hours."),
        (timedelta(days=10), "It resets at 14:40 UTC on 1 December 2026, in 10 days."),
    ],
)
def test_the_time_is_told_as_people_tell_it(left: timedelta, sentence: str) -> None:
    assert reset_sentence(NOON + left) == sentence


def test_another_zone_is_told_in_utc() -> None:
    elsewhere = datetime.fromisoformat("2026-11-21T16:00:00+01:00")
    assert reset_sentence(elsewhere) == "It resets at 15:00 UTC, in 20 minutes."
    assert reset_sentence(datetime(2026, 11, 21, 15, tzinfo=UTC), now=NOON.astimezone(elsewhere.tzinfo)).endswith(
        "at 15:00 UTC, in 20 minutes."
    )


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Throttled(429, None), ["busy", "HTTP 429", "Your budget is not spent"]),
        (UpstreamFailed(503), ["failed", "HTTP 503"]),
        (UpstreamFailed(None, reason="ConnectError"), ["could not be reached", "ConnectError"]),
        (IdentityRefused(401, "Jwt is expired"), ["identity", "HTTP 401: Jwt is expired", "deployment", "LLM_JWT"]),
        (RequestRefused(404, "no such model"), ["refused the request", "HTTP 404: no such model"]),
        (RequestRefused(404, ""), ["(HTTP 404)"]),
        (RequestRefused(200, "{"), ["cannot be used", "HTTP 200: {"]),
    ],
)
def test_each_failure_has_its_own_sentence(outcome: Outcome, words: list[str]) -> None:
    text = reply_to(outcome, "dba")
    assert [word for word in words if word not in text] == []
    assert text.endswith(".")
