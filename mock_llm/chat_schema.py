"""What a chat completion's request and answers look like, for the OpenAPI document; the route reads and writes them itself."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mock_llm.chat import PATH
from mock_llm.openapi import HEADERS, REFUSALS, Answered, Operation

Text = Annotated[str, Field(strict=True)]
Object = dict[str, Any]


class ChatTextPart(BaseModel):
    type: Literal["text"]
    text: Text


class ChatOtherPart(BaseModel):
    """A picture, a sound, a file or a refusal: it is accepted, and not read."""

    type: Annotated[Text, Field(json_schema_extra={"not": {"const": "text"}})]


class ChatSystemMessage(BaseModel):
    role: Literal["system", "developer", "user", "function"]
    content: Text | list[ChatTextPart | ChatOtherPart]


class ChatAssistantMessage(BaseModel):
    role: Literal["assistant"]
    content: Text | list[ChatTextPart | ChatOtherPart] | None = None


class ChatFunction(BaseModel):
    name: Annotated[str, Field(strict=True, pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: Text | None = None


class ChatTool(BaseModel):
    type: Literal["function"]
    function: ChatFunction


class ChatCustomTool(BaseModel):
    """It is accepted, and never called."""

    type: Literal["custom"]
    custom: ChatFunction


class ChatCompletionRequest(BaseModel):
    """Unknown parameters are accepted, and ignored. One that is null is absent, but for `model`."""

    messages: Annotated[list[ChatSystemMessage | ChatAssistantMessage], Field(min_length=1)]
    model: Annotated[str, Field(strict=True, min_length=1)] = "mock-essay-7b"
    stream: bool | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: Text | Annotated[list[Text], Field(min_length=1, max_length=4)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    seed: int | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    user: Text | None = None
    store: bool | None = None
    service_tier: Text | None = None
    reasoning_effort: Text | None = None
    logit_bias: Object | None = None
    metadata: Object | None = None
    response_format: Object | None = None
    tools: Annotated[list[ChatTool | ChatCustomTool], Field(min_length=1, max_length=128)] | None = None
    parallel_tool_calls: bool | None = None


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
    tool_calls: list[ChatToolCall] | None = None


class ChatChoice(_Answer):
    index: int
    message: ChatMessage
    logprobs: None
    finish_reason: Literal["stop", "length", "tool_calls"]


class ChatPromptDetails(_Answer):
    cached_tokens: int
    audio_tokens: int


class ChatUsage(_Answer):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: ChatPromptDetails | None = None


class ChatCompletion(_Answer):
    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: ChatUsage


OPERATIONS = (
    Operation(
        "post",
        PATH,
        "Answers a conversation, whole or, with `stream`, as events of chat.completion.chunk objects",
        ChatCompletionRequest,
        {200: Answered("An essay, or the calls of the tools that the prompt names.", ChatCompletion, streams=True)}
        | dict(REFUSALS),
        HEADERS,
    ),
)
