"""The models that are served: those of a file, or any model whatever where there is no file."""

from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from mock_llm.errors import ApiError
from mock_llm.latency import Latency
from mock_llm.usage import MOST_TOKENS, TokenRange
from service.yaml_files import UnreadableError, place_in, read_yaml

DEFAULT_MODEL = "mock-essay-7b"
MOST_MODELS = 1000
LONGEST_MODEL = 256
LONGEST_MS = 600_000


class ModelsError(ValueError):
    """The list of models cannot be used; the text is one sentence: the file, the path in the document and the reason."""


class Served(NamedTuple):
    """How a model answers. None is what is counted or drawn."""

    tokens: TokenRange
    latency: Latency
    prompt_tokens: int | None = None
    cached_tokens: int = 0


_VALIDATED = "function-before[_as_range(), _Range]"
"""What pydantic puts into the path of a field that may also be absent."""
Count = Annotated[int, Field(strict=True, ge=0, le=MOST_TOKENS)]
Milliseconds = Annotated[float, Field(strict=True, ge=0, le=LONGEST_MS, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Range(_Strict):
    min: Count
    max: Count

    @model_validator(mode="after")
    def _ordered(self) -> "_Range":
        if self.min > self.max:
            raise ValueError("min is more than max")
        return self


def _as_range(value: object) -> object:
    if isinstance(value, int):
        return {"min": value, "max": value}
    if not isinstance(value, dict):
        raise ValueError("a number of tokens is expected, or {min: 400, max: 1500}")
    return value


class _Usage(_Strict):
    prompt_tokens: Count | None = None
    completion_tokens: Annotated[_Range, BeforeValidator(_as_range)] | None = None
    cached_tokens: Count = 0

    def tokens(self, default: TokenRange) -> TokenRange:
        asked = self.completion_tokens
        return default if asked is None else TokenRange(asked.min, asked.max)


class _Latency(_Strict):
    ttft_ms: Milliseconds | None = None
    ttft_deviation_ms: Milliseconds | None = None
    itl_ms: Milliseconds | None = None
    itl_deviation_ms: Milliseconds | None = None


class _Model(_Strict):
    id: Annotated[str, Field(strict=True, min_length=1, max_length=LONGEST_MODEL, pattern=r"^\S+$")]
    usage: _Usage = _Usage()
    latency: _Latency = _Latency()

    def served(self, tokens: TokenRange, latency: Latency) -> Served:
        own = latency._replace(**self.latency.model_dump(exclude_none=True))
        return Served(self.usage.tokens(tokens), own, self.usage.prompt_tokens, self.usage.cached_tokens)


class _Document(_Strict):
    models: Annotated[tuple[_Model, ...], Field(min_length=1, max_length=MOST_MODELS)]


class Models:
    """By name. `tokens` and `latency` are those of a model that has none of its own."""

    def __init__(self, file: Path | None, tokens: TokenRange, latency: Latency) -> None:
        """Raises ModelsError where the file cannot be used."""
        listed = () if file is None else _read(file)
        self._any = Served(tokens, latency) if file is None else None
        self._listed = {model.id: model.served(tokens, latency) for model in listed}
        self.names = tuple(self._listed) or (DEFAULT_MODEL,)
        """Those of the file, in its order; without a file the one that is served where a request names none."""

    @property
    def default(self) -> str:
        return self.names[0]

    def find(self, name: str) -> Served:
        """Raises ApiError (404) for a model that is not in the file, as OpenAI does for one that it does not know."""
        if self._any is not None:
            return self._any
        served = self._listed.get(name)
        if served is None:
            message = f"The model '{name[:LONGEST_MODEL]}' does not exist or you do not have access to it."
            raise ApiError(404, message, "model", "model_not_found")
        return served


def _read(file: Path) -> tuple[_Model, ...]:
    try:
        documents = read_yaml(file)
    except UnreadableError as error:
        raise ModelsError(f"{file}: the list of models {error}.") from None
    if len(documents) > 1:
        raise ModelsError(f"{file}: the list of models is {len(documents)} documents: put all models into one.")
    try:
        models = _Document.model_validate(documents[0] if documents else None).models
    except ValidationError as error:
        raise ModelsError(_sentence(file, error)) from None
    _refuse_twins(file, models)
    return models


def _refuse_twins(file: Path, models: tuple[_Model, ...]) -> None:
    first: dict[str, int] = {}
    for index, model in enumerate(models):
        if model.id in first:
            raise ModelsError(f"{file}: models[{index}].id: {model.id!r} is taken by models[{first[model.id]}].")
        first[model.id] = index


def _sentence(file: Path, error: ValidationError) -> str:
    problem = error.errors()[0]
    place = place_in(tuple(step for step in problem["loc"] if step != _VALIDATED))
    reason = {
        "missing": "this field is missing",
        "extra_forbidden": "this field is unknown",
        "model_type": "a mapping is expected",
        "tuple_type": "a list is expected",
        "string_type": "text is expected",
        "string_too_short": "the text is empty",
        "string_pattern_mismatch": "a model's name has no white space",
        "too_short": "the list is empty",
        "int_type": "a whole number is expected",
        "float_type": "a number is expected",
    }.get(problem["type"], problem["msg"].removeprefix("Value error, "))
    return f"{file}: {place or 'the document'}: {reason}."
