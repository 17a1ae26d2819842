"""What a request looks like, for the OpenAPI document; the route reads it itself."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from mock_llm.chat.parameters import EFFORTS, SERVICE_TIERS
from mock_llm.chat.tools import LONGEST_NAME, MOST_TOOLS
from mock_llm.metadata import Metadata
from mock_llm.models_file import LONGEST_NAME as LONGEST_MODEL
from mock_llm.responses.contents import PARTS_OF_OTHERS
from mock_llm.responses.items import PASSED_OVER
from mock_llm.responses.parameters import TRUNCATIONS
from mock_llm.responses.tools import HOSTED

ToolName = Annotated[str, Field(pattern=rf"^[a-zA-Z0-9_-]{{1,{LONGEST_NAME}}}$")]


class ResponsesInputText(BaseModel):
    type: Literal["input_text"]
    text: str


class ResponsesInputFile(BaseModel):
    type: Literal[PARTS_OF_OTHERS[1:]]  # type: ignore[valid-type]


class ResponsesOutputText(BaseModel):
    type: Literal["output_text"]
    text: str


class ResponsesRefusal(BaseModel):
    type: Literal["refusal"]
    refusal: str


class ResponsesMessage(BaseModel):
    type: Literal["message"] = "message"
    role: Literal["user", "system", "developer"]
    content: str | list[ResponsesInputText | ResponsesInputFile]
    id: str | None = None


class ResponsesAssistantMessage(BaseModel):
    type: Literal["message"] = "message"
    role: Literal["assistant"]
    content: str | list[ResponsesOutputText | ResponsesRefusal]
    id: str | None = None


class ResponsesPassedOver(BaseModel):
    """An item that is accepted, and that the mock has no use for."""

    type: Literal[PASSED_OVER]  # type: ignore[valid-type]
    id: str | None = None


class ResponsesFunction(BaseModel):
    type: Literal["function", "custom"]
    name: ToolName


class ResponsesHostedTool(BaseModel):
    """Is accepted, and never called."""

    type: Literal[HOSTED]  # type: ignore[valid-type]


class ResponsesFormat(BaseModel):
    type: Literal["text", "json_object"]


class ResponsesSchemaFormat(BaseModel):
    """With a `schema`, a JSON Schema of which the mock can make an instance."""

    type: Literal["json_schema"]
    name: ToolName


class ResponsesText(BaseModel):
    format: ResponsesFormat | ResponsesSchemaFormat | None = None


class ResponsesReasoning(BaseModel):
    effort: Literal[EFFORTS] | None = None  # type: ignore[valid-type]


class ResponsesRequest(BaseModel):
    """Unknown parameters are accepted, and ignored. One that is null is absent, but for `input`.

    Not written here, since it depends on more than the body's form: `previous_response_id` continues a response that is kept,
    `tool_choice` chooses among the `tools`, and items of the types function_call and function_call_output come in pairs.
    """

    input: str | Annotated[list[ResponsesMessage | ResponsesAssistantMessage | ResponsesPassedOver], Field(min_length=1)]
    model: Annotated[str, Field(min_length=1, max_length=LONGEST_MODEL)] | None = None
    instructions: str | None = None
    stream: bool | None = None
    store: bool | None = None
    background: bool | None = None
    parallel_tool_calls: bool | None = None
    tools: Annotated[list[ResponsesFunction | ResponsesHostedTool], Field(max_length=MOST_TOOLS)] | None = None
    max_output_tokens: Annotated[int, Field(ge=16)] | None = None
    max_tool_calls: Annotated[int, Field(ge=1)] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    truncation: Literal[TRUNCATIONS] | None = None  # type: ignore[valid-type]
    metadata: Metadata | None = None
    text: ResponsesText | None = None
    reasoning: ResponsesReasoning | None = None
    stream_options: dict[str, Any] | None = None
    user: str | None = None
    service_tier: Literal[SERVICE_TIERS] | None = None  # type: ignore[valid-type]
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
