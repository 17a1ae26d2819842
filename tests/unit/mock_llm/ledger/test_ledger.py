import pytest

from mock_llm.ledger import ledger as ledgers
from mock_llm.ledger.journal import Entry
from mock_llm.ledger.ledger import MAX_NAME, OTHER, OTHER_NAME, Caller, Ledger, caller_of
from mock_llm.usage import Usage


def an_entry(
    team: str = "dba", user: str = "alice", model: str = "m", outcome: str = "answered", usage: Usage | None = None
) -> Entry:
    return Entry(1.0, team, user, "r", "/v1/chat/completions", model, outcome, "", usage)


def test_usage_adds_up_per_caller() -> None:
    ledger = Ledger()
    ledger.enter(an_entry("dba", "alice", usage=Usage(10, 400)))
    ledger.enter(an_entry("dba", "alice", usage=Usage(3, 500, 2)))
    ledger.enter(an_entry("dba", "bob", usage=Usage(1, 600)))
    assert ledger.callers() == [
        {
            "team": "dba",
            "user": "alice",
            "requests": 2,
            "prompt_tokens": 13,
            "completion_tokens": 900,
            "total_tokens": 913,
            "cached_tokens": 2,
        },
        {
            "team": "dba",
            "user": "bob",
            "requests": 1,
            "prompt_tokens": 1,
            "completion_tokens": 600,
            "total_tokens": 601,
            "cached_tokens": 0,
        },
    ]


def test_rows_are_sorted_by_team_and_then_user() -> None:
    ledger = Ledger()
    for team, user in [("support", "carol"), ("dba", "bob"), ("support", "-"), ("dba", "alice")]:
        ledger.enter(an_entry(team, user, usage=Usage(1, 1)))
    assert [(row["team"], row["user"]) for row in ledger.callers()] == [
        ("dba", "alice"),
        ("dba", "bob"),
        ("support", "-"),
        ("support", "carol"),
    ]


def test_a_caller_that_was_told_no_usage_has_no_row() -> None:
    ledger = Ledger()
    ledger.account(Caller("dba", "alice"))
    assert ledger.callers() == []


def test_callers_beyond_the_cap_share_one_row_and_lose_no_token() -> None:
    ledger = Ledger(max_callers=2)
    for user in ("u1", "u2", "u3", "u4", "u1"):
        ledger.enter(an_entry("dba", user, usage=Usage(1, 400)))
    assert [(row["user"], row["requests"], row["total_tokens"]) for row in ledger.callers()] == [
        ("(other)", 2, 802),
        ("u1", 2, 802),
        ("u2", 1, 401),
    ]


@pytest.mark.parametrize(("length", "is_other"), [(MAX_NAME, False), (MAX_NAME + 1, True)])
def test_a_name_too_long_to_keep_goes_to_the_other_row(length: int, is_other: bool) -> None:
    account = Ledger().account(Caller("dba", "u" * length))
    assert (account.caller == OTHER) is is_other


def test_the_caller_is_what_the_gateway_stamped() -> None:
    assert caller_of({b"x-team-id": b"dba", b"x-user-id": b"alice"}) == Caller("dba", "alice")
    assert caller_of({b"x-team-id": b""}) == Caller("-", "-")


def test_a_caller_beyond_the_cap_stays_the_same_account_whether_it_is_found_or_entered() -> None:
    ledger = Ledger()
    team, user = ledger.account(Caller("dba", "u" * 300)).caller
    ledger.enter(an_entry(team, user, usage=Usage(1, 2)))
    assert ledger.account(Caller("x" * 300, "y")).told.completion_tokens == 2


def test_usage_adds_up_per_model_and_outcomes_are_counted() -> None:
    ledger = Ledger()
    ledger.enter(an_entry(model="a", usage=Usage(1, 2, 1)))
    ledger.enter(an_entry(model="a", usage=Usage(3, 4)))
    ledger.enter(an_entry(model="b", outcome="gone"))
    assert (ledger.models["a"].requests, ledger.models["a"].prompt_tokens, ledger.models["a"].cached_tokens) == (2, 4, 1)
    assert ledger.models["b"].requests == 0
    path = "/v1/chat/completions"
    assert ledger.outcomes == {(path, "a", "answered"): 2, (path, "b", "gone"): 1}


def test_models_that_callers_invent_are_bounded_and_lose_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "MAX_MODELS", 2)
    ledger = Ledger(models=("listed",))
    for model in ("a", "b", "c", "a", "listed", "d"):
        ledger.enter(an_entry(model=model, usage=Usage(0, 1)))
    assert {name: totals.requests for name, totals in ledger.models.items()} == {"listed": 1, "a": 2, "b": 1, OTHER_NAME: 2}


def test_a_refused_model_opens_no_row() -> None:
    ledger = Ledger()
    ledger.enter(an_entry(model="nope", outcome="refused"))
    assert ledger.models == {}
    assert list(ledger.outcomes) == [("/v1/chat/completions", OTHER_NAME, "refused")]


def test_a_cleared_ledger_is_a_new_one() -> None:
    ledger = Ledger(models=("listed",))
    for user in ("alice", "u" * 300):
        account = ledger.account(Caller("dba", user))
        account.calls += 1
        ledger.enter(an_entry(*account.caller, model="m", usage=Usage(1, 1)))
    ledger.clear()
    assert (ledger.callers(), list(ledger.models), len(ledger.journal), ledger.outcomes) == ([], ["listed"], 0, {})
    assert ledger.models["listed"].requests == 0
    assert [ledger.account(Caller("dba", user)).calls for user in ("alice", "u" * 300)] == [0, 0]
