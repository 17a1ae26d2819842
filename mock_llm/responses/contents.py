"""The content of an item: a string, or parts of which those that are text are read."""

from typing import Any

from mock_llm.chat.tool_messages import required_string
from mock_llm.errors import wrong_type, wrong_value

PARTS_OF_OTHERS = ("input_text", "input_image", "input_file", "input_audio")
PARTS_OF_ASSISTANT = ("output_text", "refusal")
_TEXT_OF = {"input_text": "text", "output_text": "text", "refusal": "refusal"}


def text_of_content(content: Any, param: str, role: str) -> str:
    """Its texts, a line each. Raises ApiError (400) for a part that OpenAI would refuse from this role."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise wrong_type(param, "a string or an array of parts", content)
    allowed = PARTS_OF_ASSISTANT if role == "assistant" else PARTS_OF_OTHERS
    texts = (_text(part, f"{param}[{index}]", allowed) for index, part in enumerate(content))
    return "\n".join(text for text in texts if text is not None)


def content_parts(content: Any, role: str) -> Any:
    """As OpenAI keeps it: a string becomes its one part."""
    if not isinstance(content, str):
        return content
    if role == "assistant":
        return [{"type": "output_text", "text": content, "annotations": []}]
    return [{"type": "input_text", "text": content}]


def _text(part: Any, param: str, allowed: tuple[str, ...]) -> str | None:
    if not isinstance(part, dict):
        raise wrong_type(param, "an object", part)
    kind = required_string(part, "type", param)
    if kind not in allowed:
        raise wrong_value(f"{param}.type", kind, ", ".join(map(repr, allowed)))
    return required_string(part, _TEXT_OF[kind], param) if kind in _TEXT_OF else None
