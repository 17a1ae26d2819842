from datetime import UTC, datetime, timedelta

import pytest

from agents.outcomes import BudgetExhausted, IdentityRefused, Meter, Outcome, RequestRefused, Throttled, UpstreamFailed
from agents.texts import KEPT, KEPT_OF_AN_ALLOWANCE, TOO_MANY_STEPS, reply_to, resets_at, waiting_until
from tests.unit.agents.doubles import NOON, SPENT, answered, tools_called

SEED = "Sorry — your team's LLM token budget is exhausted. Please try again later. (HTTP 429 from the gateway; team='dba'.)"


def reset_sentence(at: datetime | None, seconds: int | None = None, now: datetime = NOON) -> str:
    text = reply_to(BudgetExhausted(429, None, at, seconds, Meter()), "dba", now)
    assert text.startswith(f"{SEED} ")
    assert text.endswith(f" {KEPT}")
    return text.removeprefix(f"{SEED} ").removesuffix(f" {KEPT}")


def test_an_answer_is_what_the_model_said() -> None:
    assert reply_to(answered("Use an index."), "dba") == "Use an index."


def test_calls_of_tools_without_an_end_are_no_answer_whatever_is_said_besides() -> None:
    assert reply_to(tools_called("oracle", text="Let me ask."), "dba") == TOO_MANY_STEPS


def test_the_users_sentence_word_for_word() -> None:
    assert reply_to(SPENT, "dba", NOON) == f"{SEED} It resets at 15:00 UTC, in 20 minutes. {KEPT}"
    assert "Your question and all that was answered before it are kept" in KEPT
    assert 'send "continue"' in KEPT


def test_the_status_and_the_team_are_those_that_came() -> None:
    text = reply_to(BudgetExhausted(402, None, None, None, Meter()), "o'hara", NOON)
    assert """(HTTP 402 from the gateway; team="o'hara".)""" in text


def test_without_a_time_the_user_is_told_so() -> None:
    assert reset_sentence(None) == "The gateway did not say when it resets."


def test_the_time_is_now_where_none_is_given() -> None:
    past, future = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1, seconds=1)
    assert reply_to(BudgetExhausted(429, None, past, None, Meter()), "dba").endswith(f"It should have reset by now. {KEPT}")
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
    sentence = reset_sentence(datetime(2026, 11, 21, 15, tzinfo=UTC), now=NOON.astimezone(elsewhere.tzinfo))
    assert sentence.endswith("at 15:00 UTC, in 20 minutes.")


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Throttled(429, None), ["busy", "HTTP 429", "Your budget is not spent"]),
        (UpstreamFailed(503), ["failed", "HTTP 503"]),
        (Throttled(429, 5, "Calls under way have reserved it."), ["no call through (HTTP 429: Calls under way", "try again"]),
        (UpstreamFailed(200, reason="the stream broke off"), ["HTTP 200: the stream broke off"]),
        (UpstreamFailed(200, reason="ReadError", partial="An"), ["broke off (ReadError)", "is kept", 'send "continue"']),
        (UpstreamFailed(None, reason="ConnectError"), ["could not be reached", "ConnectError"]),
        (IdentityRefused(401, "Jwt is expired"), ["identity", "HTTP 401: Jwt is expired", "deployment", "LLM_JWT"]),
        (RequestRefused(404, "no such model"), ["refused the request", "HTTP 404: no such model"]),
        (RequestRefused(404, ""), ["(HTTP 404)"]),
        (RequestRefused(200, ""), ["cannot be used", "it holds no text"]),
        (RequestRefused(200, "{"), ["cannot be used", "HTTP 200: {"]),
    ],
)
def test_each_failure_has_its_own_sentence(outcome: Outcome, words: list[str]) -> None:
    text = reply_to(outcome, "dba")
    assert [word for word in words if word not in text] == []
    assert text.endswith(".")


def test_a_spent_allowance_names_its_figure_and_what_is_kept() -> None:
    spent = BudgetExhausted(None, {"limit": 2000}, None, None, Meter())
    assert reply_to(spent, "dba") == f"The allowance of 2000 tokens that came with this task is spent. {KEPT_OF_AN_ALLOWANCE}"
    assert "with an allowance of its own" in KEPT_OF_AN_ALLOWANCE


def test_a_task_that_waits_says_until_when() -> None:
    text = waiting_until(NOON + timedelta(minutes=20), NOON)
    assert text == "The budget is spent. This task waits and goes on by itself at 15:00 UTC, in 20 minutes."


@pytest.mark.parametrize(
    ("at", "seconds", "reset"),
    [(None, None, None), (None, 60, NOON + timedelta(minutes=1)), (NOON, 60, NOON), (NOON, None, NOON)],
)
def test_a_reset_is_the_moment_or_else_so_many_seconds_from_now(
    at: datetime | None, seconds: int | None, reset: datetime | None
) -> None:
    assert resets_at(BudgetExhausted(429, None, at, seconds, Meter()), NOON) == reset
