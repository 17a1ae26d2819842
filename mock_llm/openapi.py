"""The OpenAPI document of all routes. Those that answer for themselves describe themselves as `Operation`s."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import models_json_schema

REFS = "#/components/schemas/{model}"
JSON = "application/json"
EVENTS = "text/event-stream"


class ErrorDetail(BaseModel):
    model_config = ConfigDict(extra="forbid")

    message: str
    type: str
    param: str | None
    code: str | None


class Error(BaseModel):
    """OpenAI's shape of a refusal."""

    model_config = ConfigDict(extra="forbid")

    error: ErrorDetail


class Answered(NamedTuple):
    """One status of an operation: what it means, and its JSON. `streams`: a request may have it as events instead."""

    description: str
    model: type[BaseModel] | None
    streams: bool = False
    links: Mapping[str, Mapping[str, Any]] = {}
    """OpenAPI's own link objects: what can be asked next, with what is in this answer."""


class Operation(NamedTuple):
    """One method of one path. Models are those of its JSON; `parameters` are OpenAPI's own parameter objects."""

    method: str
    """In lower case."""
    path: str
    summary: str
    request: type[BaseModel] | None
    answers: Mapping[int, Answered]
    parameters: Sequence[Mapping[str, Any]] = ()


REFUSALS: Mapping[int, Answered] = {
    400: Answered("The request is wrong, or asks for a fault that is not known.", Error),
    404: Answered("The model is not in the list of models.", Error),
    413: Answered("The body is larger than MOCK_LLM_MAX_BODY.", Error),
    415: Answered("The body is not declared as JSON.", Error),
    429: Answered("The fault `rate_limited`.", Error),
    500: Answered("The fault `server_error`.", Error),
    503: Answered("The fault `overloaded`.", Error),
}
"""Of every `Endpoint`."""


def document(app: FastAPI, operations: Sequence[Operation]) -> dict[str, Any]:
    """The application's own document, and the operations in it."""
    described: dict[str, Any] = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    schemas = described.setdefault("components", {}).setdefault("schemas", {})
    for operation in operations:
        methods = described["paths"].setdefault(operation.path, {})
        methods[operation.method] = _described(operation)
    schemas.update(_schemas(operations))
    for methods in described["paths"].values():
        for told in methods.values():
            # What FastAPI adds for its own way of refusing, which here is OpenAI's (errors.py).
            told["responses"].pop("422", None)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return described


def _described(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": operation_id(operation.method, operation.path),
        "parameters": list(operation.parameters),
        "responses": {str(status): _response(answer) for status, answer in operation.answers.items()},
    }
    if operation.request is not None:
        described["requestBody"] = {"required": True, "content": {JSON: {"schema": _ref(operation.request)}}}
    return described


def operation_id(method: str, path: str) -> str:
    """What a link calls the operation."""
    return f"{method}{path.replace('/', '_').replace('{', '').replace('}', '')}"


def _response(answer: Answered) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if answer.model is not None:
        content[JSON] = {"schema": _ref(answer.model)}
    if answer.streams:
        # Without a schema: OpenAPI 3.1 has no word for what each event holds.
        content[EVENTS] = {}
    told = {"description": answer.description, "content": content, "links": dict(answer.links)}
    return {member: value for member, value in told.items() if value}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REFS.format(model=model.__name__)}


def _schemas(operations: Sequence[Operation]) -> dict[str, Any]:
    """Requests as they are accepted, answers as they are given."""
    models: list[tuple[type[BaseModel], Any]] = []
    for operation in operations:
        if operation.request is not None:
            models.append((operation.request, "validation"))
        models.extend((answer.model, "serialization") for answer in operation.answers.values() if answer.model is not None)
    unique = list(dict.fromkeys(models))
    _, schema = models_json_schema(unique, ref_template=REFS)
    found: dict[str, Any] = schema.get("$defs", {})
    return found
