"""A turn's progress and end as A2A messages and metadata. The keys that begin with `kagent_` are what kagent's UI reads."""

from collections.abc import Mapping
from typing import Any

from a2a.helpers import new_data_part, new_text_part
from a2a.types import Part
from google.protobuf.json_format import MessageToDict

from agents.extension import URI
from agents.llm.meter import is_almost_spent
from agents.outcomes import Meter
from agents.progress import ToolAnswered, ToolCalled
from agents.run import Run
from agents.usage import Usage


def usage_metadata(usage: Usage | None) -> dict[str, Any]:
    if usage is None:
        return {}
    return {
        "kagent_usage_metadata": {
            "promptTokenCount": usage.prompt,
            "candidatesTokenCount": usage.completion,
            "totalTokenCount": usage.total,
        }
    }


def tool_part(progress: ToolCalled | ToolAnswered) -> Part:
    match progress:
        case ToolCalled(call_id, name, arguments):
            kind, data = "function_call", {"id": call_id, "name": name, "args": dict(arguments)}
        case ToolAnswered(call_id, name, response):
            kind, data = "function_response", {"id": call_id, "name": name, "response": dict(response)}
    part = data_part(data) or new_text_part(f"{kind} {name}")
    part.metadata.update({"kagent_type": kind})
    return part


def data_part(data: Mapping[str, Any]) -> Part | None:
    """None where protobuf's JSON cannot hold it: an infinite number, a nesting without end, half a letter."""
    try:
        part = new_data_part(dict(data), media_type="application/json")
        MessageToDict(part)
        part.SerializeToString()
    except Exception:
        return None
    return part


def report(run: Run) -> dict[str, Any]:
    """What a finished task says of its budget, under the extension's key."""
    said: dict[str, Any] = {"usage": run.usage.document()}
    if run.meter and run.meter.remaining is not None:
        said["budget"] = _meter(run.meter)
        if is_almost_spent(run.meter):
            said["warning"] = (
                f"Of the tightest budget {run.meter.remaining:,} of {run.meter.limit:,} {run.meter.unit} are left."
            )
    if run.savings:
        said["ladder"] = list(run.savings)
    return {URI: said}


def _meter(meter: Meter) -> dict[str, Any]:
    said = {"limit": meter.limit, "remaining": meter.remaining, "reset": meter.reset, "unit": meter.unit}
    return {name: value for name, value in said.items() if value is not None}
