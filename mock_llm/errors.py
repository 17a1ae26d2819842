"""Refusals in the shape of OpenAI's API, so that a client's error handling meets what it will meet in production."""

import json

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect


class ApiError(Exception):
    """A refusal: `{"error": {"message", "type", "param", "code"}}` with the status."""

    def __init__(self, status: int, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code

    def response(self) -> Response:
        error = {"message": self.message, "type": "invalid_request_error", "param": self.param, "code": self.code}
        return Response(json.dumps({"error": error}), self.status, media_type="application/json")


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
        return response

    @app.exception_handler(ClientDisconnect)
    async def nobody_listens(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=499)
