"""What an embeddings request asks for; the rules and the wording of refusals are those of OpenAI's API."""

from typing import Any, NamedTuple

from mock_llm.chat.parameters import out_of_range
from mock_llm.chat.request import TOKENS_PER_WORD
from mock_llm.errors import ApiError, empty_array, missing, wrong_type, wrong_value

DIMENSIONS = 1536
MOST_DIMENSIONS = 3072
MOST_INPUTS = 2048
"""Also the most tokens in one input that is given as tokens."""
MOST_NUMBERS = MOST_INPUTS * DIMENSIONS
"""In all vectors of an answer."""
LARGEST_TOKEN = 2**31 - 1
_EXPECTED = {"str": "a string", "list": "an array of tokens"}
FORMATS = ("float", "base64")


class EmbeddingsRequest(NamedTuple):
    texts: tuple[str, ...]
    """An input of tokens is the text of their numbers."""
    prompt_tokens: int
    dimensions: int
    in_base64: bool


def read_embeddings_request(asked: dict[str, Any]) -> EmbeddingsRequest:
    """Raises ApiError (400) for anything OpenAI would refuse. Unknown parameters are accepted, and ignored."""
    read = _inputs(asked)
    user = asked.get("user")
    if user is not None and not isinstance(user, str):
        raise wrong_type("user", "a string", user)
    dimensions = _dimensions(asked.get("dimensions"))
    if len(read) * dimensions > MOST_NUMBERS:
        message = f"The vectors would have more than {MOST_NUMBERS} numbers. Send fewer inputs, or ask for fewer 'dimensions'."
        raise ApiError(400, message, "dimensions", "invalid_value")
    return EmbeddingsRequest(
        texts=tuple(text for text, _ in read),
        prompt_tokens=sum(tokens for _, tokens in read),
        dimensions=dimensions,
        in_base64=_format(asked.get("encoding_format")) == "base64",
    )


def _inputs(asked: dict[str, Any]) -> list[tuple[str, int]]:
    """Each input's text and how many tokens it is."""
    given = asked.get("input")
    if given is None:
        raise missing("input")
    if isinstance(given, str):
        return [_text(given, "input")]
    if not isinstance(given, list):
        raise wrong_type("input", "a string or an array", given)
    _check_length(given, "input")
    if type(given[0]) is int:
        return [_tokens(given, "input")]
    return [_input(each, f"input[{index}]", type(given[0])) for index, each in enumerate(given)]


def _input(given: Any, param: str, kind: type) -> tuple[str, int]:
    """Strings and arrays of tokens are not mixed: `kind` is the first one's."""
    if isinstance(given, str) and kind is str:
        return _text(given, param)
    if isinstance(given, list) and kind is list:
        _check_length(given, param)
        return _tokens(given, param)
    expected = _EXPECTED.get(kind.__name__, "a string or an array of tokens")
    raise wrong_type(param, expected, given)


def _text(text: str, param: str) -> tuple[str, int]:
    if not text:
        raise ApiError(400, f"Invalid '{param}': input cannot be an empty string.", param, "invalid_value")
    return text, max(1, int(len(text.split()) * TOKENS_PER_WORD))


def _tokens(tokens: list[Any], param: str) -> tuple[str, int]:
    for index, token in enumerate(tokens):
        if type(token) is not int:
            raise wrong_type(f"{param}[{index}]", "an integer", token)
        _check_range(token, f"{param}[{index}]", 0, LARGEST_TOKEN)
    return " ".join(map(str, tokens)), len(tokens)


def _check_length(given: list[Any], param: str) -> None:
    if not given:
        raise empty_array(param)
    if len(given) > MOST_INPUTS:
        message = (
            f"Invalid '{param}': array too long. Expected an array with maximum length {MOST_INPUTS}, "
            f"but got an array with length {len(given)} instead."
        )
        raise ApiError(400, message, param, "array_above_max_length")


def _dimensions(dimensions: Any) -> int:
    if dimensions is None:
        return DIMENSIONS
    if type(dimensions) is not int:
        raise wrong_type("dimensions", "an integer", dimensions)
    _check_range(dimensions, "dimensions", 1, MOST_DIMENSIONS)
    return dimensions


def _check_range(number: int, param: str, least: int, most: int) -> None:
    if not least <= number <= most:
        raise out_of_range(param, "integer", number, least, most)


def _format(encoding: Any) -> str:
    if encoding is None:
        return "float"
    if not isinstance(encoding, str):
        raise wrong_type("encoding_format", "a string", encoding)
    if encoding not in FORMATS:
        raise wrong_value("encoding_format", encoding, "'float' and 'base64'")
    return encoding
