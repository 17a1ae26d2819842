import pytest

from agents.peers.directory import Peer
from agents.peers.tools import LONGEST_DESCRIPTION, read_message, tool_of

PEER = Peer("kagent/support", "http://support", "kagent__NS__support")


def test_a_peer_is_a_function_with_one_message() -> None:
    function = tool_of(PEER, "Answers\nsupport questions.")["function"]
    assert function["name"] == "kagent__NS__support"
    assert function["description"] == "Asks the agent kagent/support, which answers in words. Answers support questions."
    assert function["parameters"]["required"] == ["message"]
    assert list(function["parameters"]["properties"]) == ["message"]


def test_a_peer_without_a_card_is_offered_plainly() -> None:
    assert tool_of(PEER, "")["function"]["description"] == "Asks the agent kagent/support, which answers in words."


def test_a_long_description_is_cut() -> None:
    assert len(tool_of(PEER, "x" * 5000)["function"]["description"]) == LONGEST_DESCRIPTION


def test_a_message_is_read() -> None:
    assert read_message('{"message": "Why is it slow?", "more": 1}') == "Why is it slow?"


def test_half_a_letter_can_be_sent() -> None:
    assert read_message('{"message": "a\\ud800"}') == "a?"


@pytest.mark.parametrize(
    "arguments", ["", "{", "[]", "null", '"message"', "{}", '{"message": 7}', '{"message": " "}', "[" * 100_000]
)
def test_other_arguments_are_none(arguments: str) -> None:
    assert read_message(arguments) is None
