"""What a chat completion's request looks like, for the OpenAPI document; the route reads it itself."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from mock_llm.chat.answer_schema import ChatCompletion
from mock_llm.chat.messages import PARTS_OF_ASSISTANT, PARTS_OF_OTHERS
from mock_llm.chat.parameters import EFFORTS, SERVICE_TIERS, STRONGEST_BIAS
from mock_llm.chat.routes import PATH
from mock_llm.metadata import Metadata
from mock_llm.models_file import LONGEST_NAME
from mock_llm.openapi import REFUSALS, Answered, Operation
from mock_llm.openapi_headers import HEADERS

Text = Annotated[str, Field(strict=True)]
ToolName = Annotated[str, Field(strict=True, pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class ChatTextPart(BaseModel):
    type: Literal["text"]
    text: Text


class ChatOtherPart(BaseModel):
    """It is accepted, and not read."""

    type: Literal[PARTS_OF_OTHERS[1:]]  # type: ignore[valid-type]


class ChatRefusalPart(BaseModel):
    """It is accepted, and not read."""

    type: Literal[PARTS_OF_ASSISTANT[1:]]  # type: ignore[valid-type]


class ChatSystemMessage(BaseModel):
    role: Literal["system", "developer", "user", "function"]
    content: Text | list[ChatTextPart | ChatOtherPart]


class ChatAssistantMessage(BaseModel):
    role: Literal["assistant"]
    content: Text | list[ChatTextPart | ChatRefusalPart] | None = None


class ChatFunction(BaseModel):
    name: ToolName
    description: Text | None = None


class ChatTool(BaseModel):
    type: Literal["function"]
    function: ChatFunction


class ChatCustomTool(BaseModel):
    """It is accepted, and never called."""

    type: Literal["custom"]
    custom: ChatFunction


class ChatFormat(BaseModel):
    type: Literal["text", "json_object"]


class ChatSchema(BaseModel):
    """With a `schema`, a JSON Schema of which the mock can make an instance."""

    name: ToolName


class ChatSchemaFormat(BaseModel):
    type: Literal["json_schema"]
    json_schema: ChatSchema


_LOGPROBS: JsonDict = {
    "anyOf": [
        {"properties": {"top_logprobs": {"type": "null"}}},
        {"properties": {"logprobs": {"const": True}}, "required": ["logprobs"]},
    ]
}


class ChatCompletionRequest(BaseModel):
    """Unknown parameters are accepted, and ignored. One that is null is absent, but for `messages`."""

    model_config = ConfigDict(json_schema_extra=_LOGPROBS)

    messages: Annotated[list[ChatSystemMessage | ChatAssistantMessage], Field(min_length=1)]
    model: Annotated[str, Field(strict=True, min_length=1, max_length=LONGEST_NAME)] | None = None
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
    service_tier: Literal[SERVICE_TIERS] | None = None  # type: ignore[valid-type]
    reasoning_effort: Literal[EFFORTS] | None = None  # type: ignore[valid-type]
    logit_bias: dict[str, Annotated[float, Field(ge=-STRONGEST_BIAS, le=STRONGEST_BIAS)]] | None = None
    metadata: Metadata | None = None
    response_format: ChatFormat | ChatSchemaFormat | None = None
    tools: Annotated[list[ChatTool | ChatCustomTool], Field(min_length=1, max_length=128)] | None = None
    parallel_tool_calls: bool | None = None


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
