"""Refusals in the shape of OpenAI's API, so that a client's error handling meets what it will meet in production."""

import json
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

INVALID = "invalid_request_error"


class ApiError(Exception):
    """A refusal: `{"error": {"message", "type", "param", "code"}}` with the status."""

    def __init__(
        self,
        status: int,
        message: str,
        param: str | None = None,
        code: str | None = None,
        *,
        kind: str = INVALID,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.kind = kind
        self.headers = headers

    def response(self) -> Response:
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return Response(json.dumps({"error": error}), self.status, self.headers, media_type="application/json")


def missing(param: str) -> ApiError:
    return ApiError(400, f"Missing required parameter: '{param}'.", param, "missing_required_parameter")


def wrong_type(param: str, expected: str, value: Any) -> ApiError:
    message = f"Invalid type for '{param}': expected {expected}, but got {kind_of(value)} instead."
    return ApiError(400, message, param, "invalid_type")


def wrong_value(param: str, value: str, supported: str) -> ApiError:
    return ApiError(400, f"Invalid value: {value[:80]!r}. Supported values are: {supported}.", param, "invalid_value")


def empty_array(param: str) -> ApiError:
    message = f"Invalid '{param}': empty array. Expected an array with minimum length 1, but got an empty array instead."
    return ApiError(400, message, param, "empty_array")


def kind_of(value: Any) -> str:
    kinds = {bool: "a boolean", int: "an integer", float: "a number", str: "a string", list: "an array", dict: "an object"}
    return kinds.get(type(value), "null")


def answer_errors(app: FastAPI) -> None:
    """Give the application's refusals, its own and those of the routing (404, 405), that one shape."""

    @app.exception_handler(ApiError)
    async def refuse(_: Request, error: ApiError) -> Response:
        return error.response()

    @app.exception_handler(HTTPException)
    async def refuse_route(request: Request, error: HTTPException) -> Response:
        message = f"Invalid URL or method ({request.method} {request.url.path[:200]}): {error.detail}."
        response = ApiError(error.status_code, message).response()
        response.headers.update(error.headers or {})
        if error.status_code == 405:
            response.headers["allow"] = ", ".join(_methods(request))
        return response

    @app.exception_handler(RequestValidationError)
    async def refuse_parameter(_: Request, error: RequestValidationError) -> Response:
        problem = error.errors()[0]
        param = str(problem["loc"][-1])
        return ApiError(400, f"Invalid '{param}': {problem['msg']}.", param, "invalid_value").response()


def _methods(request: Request) -> list[str]:
    """All that the path has (RFC 9110, 15.5.6); Starlette names those of the first route alone."""
    routes = (route for route in request.app.routes if isinstance(route, Route))
    of_path = (route for route in routes if route.matches(request.scope)[0] != Match.NONE)
    return sorted({method for route in of_path for method in route.methods or ()})
