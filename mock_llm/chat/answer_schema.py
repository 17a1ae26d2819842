"""What a chat completion looks like, for the OpenAPI document; the route writes it itself."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ChatCalledFunction(_Answer):
    name: str
    arguments: str


class ChatToolCall(_Answer):
    id: str
    type: Literal["function"]
    function: ChatCalledFunction


class ChatMessage(_Answer):
    role: Literal["assistant"]
    content: str | None
    refusal: None
    annotations: list[Any]
    tool_calls: list[ChatToolCall] | None = None


class ChatChoice(_Answer):
    index: int
    message: ChatMessage
    logprobs: None
    finish_reason: Literal["stop", "length", "tool_calls"]


class ChatPromptDetails(_Answer):
    cached_tokens: int
    audio_tokens: int


class ChatCompletionDetails(_Answer):
    reasoning_tokens: Literal[0]
    audio_tokens: Literal[0]
    accepted_prediction_tokens: Literal[0]
    rejected_prediction_tokens: Literal[0]


class ChatUsage(_Answer):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: ChatPromptDetails
    completion_tokens_details: ChatCompletionDetails


class ChatCompletion(_Answer):
    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    service_tier: Literal["default"]
    system_fingerprint: str
    choices: list[ChatChoice]
    usage: ChatUsage
