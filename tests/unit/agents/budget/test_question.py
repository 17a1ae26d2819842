import pytest

from agents.budget.question import asks_for_budget


@pytest.mark.parametrize(
    "text",
    [
        "budget",
        "/budget",
        "Budget?",
        "How much budget is left?",
        "how much   BUDGET\nis left",
        "And how many tokens do we still have left?",
        "How many tokens are left?",
        "How much of our token budget is remaining?",
        "how much budget remains?",
        "What's left of the budget?",
        "What is still left of my team’s budget?",
        "What is our remaining budget now?",
        "Please show me the team's token budget.",
        "Show me my token balance!",
        "What is our token budget?",
        "How much is left of the budget?",
    ],
)
def test_whoever_asks_for_the_budget_alone_is_understood(text: str) -> None:
    assert asks_for_budget(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hello.",
        "How much budget is left, and write an essay on indexes.",
        "How many tokens are left in this parser's buffer?",
        "What is a token budget?",
        "What is the budget?",
        "Show me the tokens.",
        "Tell me my balance!",
        "What is the budget of France?",
        "Write an essay on the budget",
        "Explain: how much budget is left?",
        "How much is left?",
        "The budget is left.",
        "budget " * 100,
        "How much budget is left?" + " " * 300 + "Write an essay.",
    ],
)
def test_every_other_message_is_for_the_llm(text: str) -> None:
    assert not asks_for_budget(text)
