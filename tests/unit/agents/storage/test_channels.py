from langgraph.checkpoint.base import empty_checkpoint

from agents.storage.channels import lasting, lasting_writes


def test_what_is_of_one_turn_is_not_kept_and_the_graph_still_has_it() -> None:
    checkpoint = empty_checkpoint()
    checkpoint["channel_values"] = {"messages": [1], "reply": "r", "outcome": 1, "own": 2}
    assert lasting(checkpoint)["channel_values"] == {"messages": [1], "own": 2}
    assert checkpoint["channel_values"]["reply"] == "r"
    assert lasting_writes([("reply", 1), ("own", 2), ("outcome", 3)]) == [("own", 2)]
