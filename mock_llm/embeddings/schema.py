"""What an embeddings request and its answer look like, for the OpenAPI document; the route reads and writes them itself."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mock_llm.embeddings.request import DIMENSIONS, LARGEST_TOKEN, MOST_DIMENSIONS, MOST_INPUTS
from mock_llm.models_file import LONGEST_NAME
from mock_llm.openapi import REFUSALS, Answered, Operation
from mock_llm.openapi_headers import HEADERS

PATH = "/v1/embeddings"

_Several = Field(min_length=1, max_length=MOST_INPUTS)
Input = Annotated[str, Field(min_length=1)]
Token = Annotated[int, Field(ge=0, le=LARGEST_TOKEN)]
Tokens = Annotated[list[Token], _Several]


class EmbeddingsRequest(BaseModel):
    """Unknown parameters are accepted, and ignored. One that is null is absent, but for `input`.

    Not written here: inputs times dimensions are limited too.
    """

    input: Input | Annotated[list[Input], _Several] | Tokens | Annotated[list[Tokens], _Several]
    model: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)] | None = None
    dimensions: Annotated[int, Field(ge=1, le=MOST_DIMENSIONS, description=f"{DIMENSIONS} unless given.")] | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EmbeddingsRow(_Answer):
    object: Literal["embedding"]
    index: int
    embedding: list[float] | str
    """In base64 the bytes of little-endian 32-bit floats."""


class EmbeddingsUsage(_Answer):
    prompt_tokens: int
    total_tokens: int


class EmbeddingsList(_Answer):
    object: Literal["list"]
    data: list[EmbeddingsRow]
    model: str
    usage: EmbeddingsUsage


OPERATIONS = (
    Operation(
        "post",
        PATH,
        "Vectors of length 1: the same text has the same, texts that share words have near ones",
        EmbeddingsRequest,
        {200: Answered("A vector for each input.", EmbeddingsList)} | dict(REFUSALS),
        HEADERS,
    ),
)
