"""The models that are served: those of a file, or any model whatever where there is no file."""

from pathlib import Path
from typing import NamedTuple

from mock_llm.errors import ApiError
from mock_llm.latency import Latency
from mock_llm.models_file import LONGEST_NAME, ModelEntry, read_models
from mock_llm.usage import TokenRange

DEFAULT_MODEL = "mock-essay-7b"


class Served(NamedTuple):
    """How a model answers. None is what is counted or drawn."""

    tokens: TokenRange
    latency: Latency
    prompt_tokens: int | None = None
    cached_tokens: int = 0


class Models:
    """By name. `tokens` and `latency` are those of a model that has none of its own."""

    def __init__(self, file: Path | None, tokens: TokenRange, latency: Latency) -> None:
        """Raises ModelsError where the file cannot be used."""
        listed = () if file is None else read_models(file)
        self._any = Served(tokens, latency) if file is None else None
        self._listed = {entry.id: _served(entry, tokens, latency) for entry in listed}
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
            message = f"The model '{name[:LONGEST_NAME]}' does not exist or you do not have access to it."
            raise ApiError(404, message, "model", "model_not_found")
        return served


def _served(entry: ModelEntry, tokens: TokenRange, latency: Latency) -> Served:
    own = entry.usage.completion_tokens
    return Served(
        tokens if own is None else TokenRange(own.min, own.max),
        latency._replace(**entry.latency.model_dump(exclude_none=True)),
        entry.usage.prompt_tokens,
        entry.usage.cached_tokens,
    )
