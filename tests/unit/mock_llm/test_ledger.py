import pytest

from mock_llm.ledger import MAX_NAME, OTHER, Caller, Ledger, caller_of


def test_usage_adds_up_per_caller() -> None:
    ledger = Ledger()
    ledger.account(Caller("dba", "alice")).enter(10, 400)
    ledger.account(Caller("dba", "alice")).enter(3, 500)
    ledger.account(Caller("dba", "bob")).enter(1, 600)
    assert ledger.rows() == [
        {
            "team": "dba",
            "user": "alice",
            "requests": 2,
            "prompt_tokens": 13,
            "completion_tokens": 900,
            "total_tokens": 913,
        },
        {
            "team": "dba",
            "user": "bob",
            "requests": 1,
            "prompt_tokens": 1,
            "completion_tokens": 600,
            "total_tokens": 601,
        },
    ]


def test_rows_are_sorted_by_team_and_then_user() -> None:
    ledger = Ledger()
    for team, user in [("support", "carol"), ("dba", "bob"), ("support", "-"), ("dba", "alice")]:
        ledger.account(Caller(team, user)).enter(1, 1)
    assert [(row["team"], row["user"]) for row in ledger.rows()] == [
        ("dba", "alice"),
        ("dba", "bob"),
        ("support", "-"),
        ("support", "carol"),
    ]


def test_a_caller_that_was_told_no_usage_has_no_row() -> None:
    ledger = Ledger()
    ledger.account(Caller("dba", "alice"))
    assert ledger.rows() == []


def test_callers_beyond_the_cap_share_one_row_and_lose_no_token() -> None:
    ledger = Ledger(max_callers=2)
    for user in ("u1", "u2", "u3", "u4", "u1"):
        ledger.account(Caller("dba", user)).enter(1, 400)
    assert [(row["user"], row["requests"], row["total_tokens"]) for row in ledger.rows()] == [
        ("(other)", 2, 802),
        ("u1", 2, 802),
        ("u2", 1, 401),
    ]


@pytest.mark.parametrize(("length", "is_other"), [(MAX_NAME, False), (MAX_NAME + 1, True)])
def test_a_name_too_long_to_keep_goes_to_the_other_row(length: int, is_other: bool) -> None:
    account = Ledger().account(Caller("dba", "u" * length))
    assert (account.caller == OTHER) is is_other


def test_the_caller_is_what_the_gateway_stamped() -> None:
    assert caller_of({"x-team-id": "dba", "x-user-id": "alice"}) == Caller("dba", "alice")
    assert caller_of({"x-team-id": ""}) == Caller("-", "-")
