from typing import Any

import pytest
from a2a.types import Part
from google.protobuf.json_format import MessageToDict

from agents.extension import URI
from agents.outcomes import Meter
from agents.progress import ToolAnswered, ToolCalled
from agents.run import Run
from agents.server.messages import data_part, report, tool_part, usage_metadata
from agents.usage import Usage, UsageTree
from tests.unit.agents.doubles import BUDGET, USAGE

COUNTS = {"promptTokenCount": 13, "candidatesTokenCount": 700, "totalTokenCount": 713}


def shown(part: Part | None) -> dict[str, Any]:
    assert part is not None
    document: dict[str, Any] = MessageToDict(part)
    return document


def test_usage_is_told_as_kagents_ui_counts_it() -> None:
    assert usage_metadata(USAGE) == {"kagent_usage_metadata": COUNTS}
    assert usage_metadata(None) == {}


def test_a_tool_that_is_called_is_a_data_part_of_its_kind() -> None:
    part = shown(tool_part(ToolCalled("1", "db__NS__oracle", {"message": "hi"})))
    assert part["data"] == {"id": "1", "name": "db__NS__oracle", "args": {"message": "hi"}}
    assert part["metadata"] == {"kagent_type": "function_call"}


def test_what_a_tool_answers_is_one_too() -> None:
    part = shown(tool_part(ToolAnswered("1", "oracle", {"result": "yes", "subagent_session_id": "c"})))
    assert part["data"] == {"id": "1", "name": "oracle", "response": {"result": "yes", "subagent_session_id": "c"}}
    assert part["metadata"] == {"kagent_type": "function_response"}


def test_a_tool_whose_data_cannot_be_told_is_named_all_the_same() -> None:
    part = shown(tool_part(ToolCalled("1", "oracle", {"message": float("inf")})))
    assert part["text"] == "function_call oracle"
    assert part["metadata"] == {"kagent_type": "function_call"}


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 10**400, "\ud800", nested(5000), object()])
def test_data_that_protobufs_json_cannot_hold_is_no_part(value: object) -> None:
    assert data_part({"budget": {"limit": value}}) is None


def test_data_comes_through_as_it_is() -> None:
    part = shown(data_part({"budget": BUDGET}))
    assert part["data"] == {"budget": BUDGET}
    assert part["mediaType"] == "application/json"


def test_a_report_is_the_usage_of_the_whole_tree() -> None:
    run = Run("dba-agent")
    run.usage.count(USAGE)
    run.usage.peers.append(UsageTree("support", Usage(1, 2, 3), 1))
    assert report(run) == {URI: {"usage": run.usage.document()}}
    assert run.usage.document()["total"] == 716


@pytest.mark.parametrize(("remaining", "warned"), [(1001, False), (1000, True), (0, True)])
def test_a_warning_stands_from_exactly_four_fifths_on(remaining: int, warned: bool) -> None:
    run = Run(
        "dba-agent",
    )
    run.meter = Meter(5000, remaining, 1200)
    said = report(run)[URI]
    assert said["budget"] == {"limit": 5000, "remaining": remaining, "reset": 1200, "unit": "tokens"}
    if warned:
        assert said["warning"] == f"Of the tightest budget {remaining:,} of 5,000 tokens are left."
    else:
        assert "warning" not in said


def test_what_the_gateway_did_not_say_is_left_out() -> None:
    run = Run("dba-agent")
    run.meter = Meter()
    assert set(report(run)[URI]) == {"usage"}
    run.meter = Meter(None, 7, None)
    assert report(run)[URI]["budget"] == {"remaining": 7, "unit": "tokens"}


def test_what_was_done_to_spend_less_is_told() -> None:
    run = Run("dba-agent")
    run.savings.append("asked for brevity")
    assert report(run)[URI]["ladder"] == ["asked for brevity"]
