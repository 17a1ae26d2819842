"""The file that MOCK_LLM_MODELS names, as a person writes it; each error is one sentence with the place and the remedy."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from mock_llm.latency import LONGEST_MS
from mock_llm.usage import MOST_TOKENS
from service.yaml_files import UnreadableError, place_in, read_yaml

MOST_MODELS = 1000
LONGEST_NAME = 256
"""Characters of a model's."""


class ModelsError(ValueError):
    """The list of models cannot be used; the text is one sentence: the file, the place in it, the reason and the remedy."""


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
            raise ValueError("min is more than max: exchange them")
        return self


def _as_range(value: object) -> object:
    if isinstance(value, int):
        return {"min": value, "max": value}
    if not isinstance(value, dict):
        raise ValueError("a number of tokens is expected: write one, or {min: 400, max: 1500}")
    return value


class UsageEntry(_Strict):
    prompt_tokens: Count | None = None
    completion_tokens: Annotated[_Range, BeforeValidator(_as_range)] | None = None
    cached_tokens: Count = 0


class LatencyEntry(_Strict):
    ttft_ms: Milliseconds | None = None
    ttft_deviation_ms: Milliseconds | None = None
    itl_ms: Milliseconds | None = None
    itl_deviation_ms: Milliseconds | None = None


class ModelEntry(_Strict):
    id: Annotated[str, Field(strict=True, min_length=1, max_length=LONGEST_NAME, pattern=r"^\S+$")]
    usage: UsageEntry = UsageEntry()
    latency: LatencyEntry = LatencyEntry()


class _Document(_Strict):
    models: Annotated[tuple[ModelEntry, ...], Field(min_length=1, max_length=MOST_MODELS)]


def read_models(file: Path) -> tuple[ModelEntry, ...]:
    """At least one. Raises ModelsError where the file cannot be used."""
    try:
        documents = read_yaml(file)
    except UnreadableError as error:
        raise ModelsError(f"{file}: the list of models {error}: put it right.") from None
    if not documents:
        raise ModelsError(f"{file}: the list of models is empty: write `models:` and below it `- id: mock-essay-7b`.")
    if len(documents) > 1:
        raise ModelsError(f"{file}: the list of models is {len(documents)} documents: put all models into one.")
    try:
        models = _Document.model_validate(documents[0]).models
    except ValidationError as error:
        raise ModelsError(_sentence(file, error)) from None
    _refuse_twins(file, models)
    return models


def _refuse_twins(file: Path, models: tuple[ModelEntry, ...]) -> None:
    first: dict[str, int] = {}
    for index, model in enumerate(models):
        if model.id in first:
            taken = f"{model.id!r} is taken by models[{first[model.id]}]"
            raise ModelsError(f"{file}: models[{index}].id: {taken}: name this one otherwise.")
        first[model.id] = index


def _sentence(file: Path, error: ValidationError) -> str:
    problem = error.errors()[0]
    place = place_in(tuple(step for step in problem["loc"] if step != _VALIDATED))
    bounds = problem.get("ctx", {})
    reason = {
        "missing": "this field is missing: add it",
        "extra_forbidden": "this field is unknown: take it out",
        "model_type": "a mapping is expected: write field: value",
        "tuple_type": "a list is expected: write each model behind a hyphen",
        "string_type": "text is expected: put it into quotes",
        "string_too_short": "the text is empty: write the model's name",
        "string_too_long": f"the text is longer than {LONGEST_NAME} characters: shorten it",
        "string_pattern_mismatch": "a model's name has no white space: take it out",
        "too_short": "the list is empty: write at least one model",
        "too_long": f"the list has more than {MOST_MODELS} models: take some out",
        "int_type": "a whole number is expected: write it without quotes",
        "float_type": "a number is expected: write milliseconds, without quotes",
        "finite_number": "a finite number is expected: write milliseconds",
        "greater_than_equal": f"it is below {bounds.get('ge', 0):g}: write more",
        "less_than_equal": f"it is above {bounds.get('le', 0):.0f}: write less",
    }.get(problem["type"], problem["msg"].removeprefix("Value error, "))
    return f"{file}: {place or 'the document'}: {reason}."
