from typing import Any

import httpx
import pytest
from starlette.routing import Route

from mock_llm.app import create_app
from mock_llm.chat.answer_schema import ChatCompletion
from mock_llm.chat.schema import ChatCompletionRequest
from mock_llm.config import Settings

pytestmark = pytest.mark.anyio

URL = "/v1/chat/completions"


async def document() -> dict[str, Any]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(Settings())), base_url="http://mock") as http:
        described: dict[str, Any] = (await http.get("/openapi.json")).json()
        assert (await http.get("/docs")).status_code == 200
        return described


async def test_every_route_is_described_and_none_that_is_not_there() -> None:
    app = create_app(Settings())
    served = {
        (route.path.replace(":path", ""), method.lower())
        for route in app.routes()
        if isinstance(route, Route) and route.include_in_schema
        for method in route.methods or ()
        if method != "HEAD"
    }
    described = {(path, method) for path, methods in (await document())["paths"].items() for method in methods}
    assert described == served
    assert (URL, "post") in described
    assert ("/ledger", "delete") in described


async def test_every_reference_leads_to_a_schema() -> None:
    described = await document()
    schemas = described["components"]["schemas"]

    def names(node: Any) -> set[str]:
        if isinstance(node, list):
            return set().union(*map(names, node))
        if not isinstance(node, dict):
            return set()
        own = {node["$ref"].rpartition("/")[2]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*map(names, node.values()))

    assert names(described) <= set(schemas)
    assert "HTTPValidationError" not in schemas
    assert not any("422" in told["responses"] for methods in described["paths"].values() for told in methods.values())


async def test_a_route_names_the_headers_that_it_reads_and_all_its_statuses() -> None:
    chat = (await document())["paths"][URL]["post"]
    headers = {parameter["name"] for parameter in chat["parameters"]}
    assert {"x-mock-prompt-tokens", "x-mock-completion-tokens", "x-mock-fault", "x-request-id"} <= headers
    assert set(chat["responses"]) == {"200", "400", "404", "413", "415", "429", "500", "503"}
    assert chat["responses"]["200"]["content"].keys() == {"application/json", "text/event-stream"}


@pytest.mark.parametrize(
    "asked", [{}, {"n": 2, "stop": ["a"]}, {"max_tokens": 3}, {"tools": [{"type": "function", "function": {"name": "hello"}}]}]
)
async def test_what_is_answered_is_what_is_described(asked: dict[str, Any]) -> None:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}]} | asked
    ChatCompletionRequest.model_validate(body)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(Settings())), base_url="http://mock") as http:
        response = await http.post(URL, json=body, headers={"x-mock-prompt-tokens": "9", "x-mock-cached-tokens": "3"})
        ChatCompletion.model_validate_json(response.text, strict=True)
