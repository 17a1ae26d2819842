"""The routes as the OpenAPI document describes them."""

from collections.abc import Mapping
from typing import Any

from mock_llm.ledger.ledger import TEAM_HEADER, USER_HEADER
from mock_llm.openapi import REFUSALS, Answered, Error, Operation, operation_id
from mock_llm.openapi_headers import HEADERS
from mock_llm.responses.answer_schema import Response, ResponseDeleted, ResponseInputItems
from mock_llm.responses.input_items import DEFAULT, FEWEST, MOST
from mock_llm.responses.request_schema import ResponsesRequest

PATH = "/v1/responses"
ONE = f"{PATH}/{{response_id}}"
ITEMS = f"{ONE}/input_items"

_NOT_KEPT = Answered("No response with this id is kept for the caller.", Error)


def _query(name: str, schema: Mapping[str, Any], description: str) -> Mapping[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


_ID = {"name": "response_id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
_CALLER = tuple(header for header in HEADERS if header["name"] in (TEAM_HEADER.decode(), USER_HEADER.decode()))
_PAGE = (
    _query("after", {"type": "string"}, "The id of the item behind which the page begins."),
    _query("limit", {"type": "integer", "minimum": FEWEST, "maximum": MOST, "default": DEFAULT}, "Items in the page."),
    _query("order", {"type": "string", "enum": ["asc", "desc"], "default": "desc"}, "By their place in the input."),
)


def _link(method: str, path: str, description: str) -> Mapping[str, Any]:
    parameters = {"path.response_id": "$response.body#/id"}
    return {"operationId": operation_id(method, path), "parameters": parameters, "description": description}


_LINKS = {
    "again": _link("get", ONE, "The response again, where it was kept, for the same caller."),
    "forget": _link("delete", ONE, "Forgets it."),
    "input": _link("get", ITEMS, "The items of its input."),
}

OPERATIONS = (
    Operation(
        "post",
        PATH,
        "Answers an input, whole or, with `stream`, as events; the answer is kept unless `store` is false",
        ResponsesRequest,
        {200: Answered("An essay, or the calls of the tools that the prompt names.", Response, streams=True, links=_LINKS)}
        | dict(REFUSALS),
        HEADERS,
    ),
    Operation(
        "get", ONE, "The response again", None, {200: Answered("As it was given.", Response), 404: _NOT_KEPT}, (_ID, *_CALLER)
    ),
    Operation(
        "delete",
        ONE,
        "Forgets the response",
        None,
        {200: Answered("It was kept, and is no more.", ResponseDeleted), 404: _NOT_KEPT},
        (_ID, *_CALLER),
    ),
    Operation(
        "get",
        ITEMS,
        "The items of the response's own input",
        None,
        {
            200: Answered("One page.", ResponseInputItems),
            400: Answered("There is no such page.", Error),
            404: _NOT_KEPT,
        },
        (_ID, *_PAGE, *_CALLER),
    ),
)
