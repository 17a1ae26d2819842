"""`metadata`: a few short texts that a caller hangs on a request."""

from typing import Annotated, Any

from pydantic import Field

from mock_llm.errors import ApiError, wrong_type

MOST_PAIRS = 16
LONGEST_KEY = 64
LONGEST_VALUE = 512

Metadata = Annotated[
    dict[Annotated[str, Field(max_length=LONGEST_KEY)], Annotated[str, Field(max_length=LONGEST_VALUE)]],
    Field(max_length=MOST_PAIRS),
]
"""For the OpenAPI document."""


def check_metadata(param: str, metadata: Any) -> None:
    """Raises ApiError (400)."""
    if not isinstance(metadata, dict):
        raise wrong_type(param, "an object", metadata)
    if len(metadata) > MOST_PAIRS:
        message = f"Invalid 'metadata': too many properties. Expected at most {MOST_PAIRS}, but got {len(metadata)} instead."
        raise ApiError(400, message, "metadata", "object_above_max_properties")
    for key, value in metadata.items():
        named = f"metadata.{key[:LONGEST_KEY]}"
        if len(key) > LONGEST_KEY:
            message = f"Invalid 'metadata': a key is longer than {LONGEST_KEY} characters: '{key[:LONGEST_KEY]}'."
            raise ApiError(400, message, "metadata", "string_above_max_length")
        if not isinstance(value, str):
            raise wrong_type(named, "a string", value)
        if len(value) > LONGEST_VALUE:
            message = f"Invalid '{named}': string too long. Expected at most {LONGEST_VALUE} characters, but got {len(value)}."
            raise ApiError(400, message, named, "string_above_max_length")
