"""What the answers look like, for the OpenAPI document; the routes write them themselves."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ResponsesSaidText(_Answer):
    type: Literal["output_text"]
    text: str
    annotations: list[Any]
    logprobs: list[Any]


class ResponsesSaid(_Answer):
    id: str
    type: Literal["message"]
    status: Literal["completed", "incomplete"]
    role: Literal["assistant"]
    content: list[ResponsesSaidText]


class ResponsesCall(_Answer):
    id: str
    type: Literal["function_call"]
    status: Literal["completed", "incomplete"]
    call_id: str
    name: str
    arguments: str


class ResponsesCutShort(_Answer):
    reason: Literal["max_output_tokens"]


class ResponsesInputDetails(_Answer):
    cached_tokens: int
    cache_write_tokens: int


class ResponsesOutputDetails(_Answer):
    reasoning_tokens: int


class ResponsesUsage(_Answer):
    input_tokens: int
    input_tokens_details: ResponsesInputDetails
    output_tokens: int
    output_tokens_details: ResponsesOutputDetails
    total_tokens: int


class Response(_Answer):
    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["completed", "incomplete"]
    completed_at: int | None
    error: None
    incomplete_details: ResponsesCutShort | None
    model: str
    background: bool
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    metadata: dict[str, str]
    parallel_tool_calls: bool
    previous_response_id: str | None
    prompt_cache_key: str | None
    reasoning: dict[str, Any]
    safety_identifier: str | None
    service_tier: str
    store: bool
    temperature: float
    text: dict[str, Any]
    tool_choice: str | dict[str, Any]
    tools: list[dict[str, Any]]
    top_logprobs: int
    top_p: float
    truncation: str
    user: str | None
    output: list[ResponsesSaid | ResponsesCall]
    usage: ResponsesUsage | None


class ResponseDeleted(_Answer):
    id: str
    object: Literal["response"]
    deleted: Literal[True]


class ResponseInputItem(BaseModel):
    id: str
    type: str


class ResponseInputItems(_Answer):
    object: Literal["list"]
    data: list[ResponseInputItem]
    first_id: str | None
    last_id: str | None
    has_more: bool
