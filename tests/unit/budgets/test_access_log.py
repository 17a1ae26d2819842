import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.budget import Usage
from budgets.simulation.access_log import Past, Skipped, read_log

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()

ENTRY: dict[str, Any] = {
    "time": "2026-11-21T12:00:00.250Z",
    "team": "dba",
    "user_id": "alice",
    "key": None,
    "dimensions": {"group": "", "tier": "-", "tenant_id": None},
    "asked_model": "gpt-4o",
    "max_tokens": "200",
    "tokens_in": 21,
    "tokens_out": 683,
    "tokens_cached": 5,
    "tokens_total": 704,
    "model": "gpt-4o-2024-08-06",
    "status": 200,
    "request_id": "b7c0",
    "milliseconds": 1500,
}


def line(**changes: Any) -> str:
    return json.dumps({**ENTRY, **changes})


def read(*lines: str) -> tuple[list[Past], Skipped]:
    skipped = Skipped()
    return list(read_log(lines, skipped)), skipped


def one(text: str) -> Past:
    (past,), skipped = read(text)
    assert skipped == Skipped()
    return past


def test_a_call_is_read_with_who_asked_for_what_and_what_it_used() -> None:
    assert one(line()) == Past(
        started=NOON + 0.25,
        ended=NOON + 1.75,
        request_id="0",
        dimensions={"team": "dba", "user": "alice", "model": "gpt-4o"},
        usage=Usage(input=21, output=683, cached=5),
        max_tokens=200,
    )


@pytest.mark.parametrize("absent", [None, "", "-"])
def test_what_the_gateway_did_not_know_is_absent(absent: str | None) -> None:
    past = one(line(asked_model=absent, max_tokens=absent, tokens_cached=absent, milliseconds=absent, tokens_in=absent))
    assert past.dimensions == {"team": "dba", "user": "alice"}
    assert (past.max_tokens, past.usage, past.ended) == (None, Usage(output=683), past.started)


def test_a_field_that_is_missing_is_absent() -> None:
    past = one(json.dumps({"time": "2026-11-21T12:00:00Z", "dimensions": {}, "tokens_out": 7}))
    assert (past.dimensions, past.usage.tokens, past.max_tokens, past.started, past.ended) == ({}, 7, None, NOON, NOON)


@pytest.mark.parametrize("figure", [21, "21", 21.0, "21.0"])
def test_a_figure_may_be_a_number_or_its_text(figure: object) -> None:
    assert one(line(tokens_in=figure)).usage.input == 21


@pytest.mark.parametrize("moment", ["2026-11-21T12:00:00Z", "2026-11-21T13:00:00+01:00", "2026-11-21T12:00:00.000+00:00"])
def test_a_moment_may_be_of_any_zone(moment: str) -> None:
    assert one(line(time=moment)).started == NOON


def test_the_name_that_a_supervisor_puts_before_a_line_does_not_matter() -> None:
    assert one(f"gateway | {line()}\n").usage.tokens == 704


def test_each_call_has_an_id_of_its_own_whatever_the_log_says() -> None:
    past, _ = read(line(), line(), line())
    assert len({each.request_id for each in past}) == 3


@pytest.mark.parametrize("changes", [{"tokens_in": 0, "tokens_out": 0}, {"tokens_in": None, "tokens_out": "-", "status": 429}])
def test_a_call_that_used_nothing_is_counted_and_not_replayed(changes: dict[str, Any]) -> None:
    assert read(line(**changes), line())[1] == Skipped(unused=1)


@pytest.mark.parametrize(
    "text",
    [
        "[2026-11-21 12:00:00.000][1][info] all clusters initialized",
        "{",
        "[1]",
        '{"level": "info"}',
        json.dumps({key: value for key, value in ENTRY.items() if key != "dimensions"}),
        json.dumps({key: value for key, value in ENTRY.items() if key != "time"}),
        line(time="yesterday"),
        line(time="2026-11-21T12:00:00"),
        line(time=None),
        line(dimensions=[1]),
        line(dimensions="dba"),
        line(tokens_in="many"),
        line(tokens_in=-1),
        line(tokens_in=[1]),
        line().replace("683", "1e999"),
        line().replace("683", "NaN"),
        line(milliseconds=-5),
    ],
)
def test_a_line_that_is_no_call_is_counted_and_passed_over(text: str) -> None:
    past, skipped = read(text, line())
    assert (len(past), skipped) == (1, Skipped(unreadable=1))


def test_an_empty_line_is_not_worth_a_word() -> None:
    assert read("", "\n", "  \n") == ([], Skipped())


values = st.none() | st.text(max_size=5) | st.integers() | st.floats() | st.lists(st.integers(), max_size=2)


@given(st.lists(st.text() | st.dictionaries(st.sampled_from(sorted(ENTRY)), values).map(lambda changed: line(**changed))))
def test_any_text_is_read_or_counted(lines: list[str]) -> None:
    past, skipped = read(*lines)
    assert len(past) + skipped.unused + skipped.unreadable <= len(lines)
    assert all(each.usage.tokens > 0 and each.ended >= each.started for each in past)
