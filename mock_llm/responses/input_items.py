"""The items of a request's input as they are listed later: with an id each, in pages."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mock_llm.chat.pieces import encode
from mock_llm.errors import ApiError, wrong_value
from mock_llm.responses.contents import content_parts

FEWEST, MOST, DEFAULT = 1, 100, 20
_PREFIXES = {"message": "msg", "function_call": "fc", "function_call_output": "fco"}


class InputItem(NamedTuple):
    item_id: str
    document: bytes


class Page(NamedTuple):
    after: str | None
    """The id of the item that comes before the page."""
    limit: int
    newest_first: bool


def kept_items(items: Sequence[dict[str, Any]], key: str) -> tuple[InputItem, ...]:
    """`key` ends the ids of those that came without one."""
    return tuple(_kept(item, f"{key}{index:02d}") for index, item in enumerate(items))


def read_page(query: Mapping[str, str]) -> Page:
    """Raises ApiError (400)."""
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise wrong_value("order", order, "'asc' and 'desc'")
    return Page(query.get("after"), _limit(query.get("limit", str(DEFAULT))), order == "desc")


def listed(items: Sequence[InputItem], page: Page) -> bytes:
    """One page as OpenAI's list. Raises ApiError (400) where the item that it is to follow is not among them."""
    ordered = items[::-1] if page.newest_first else items
    if page.after is not None:
        ids = [item.item_id for item in ordered]
        if page.after not in ids:
            raise ApiError(400, f"No item with id {page.after[:80]!r} is in this list.", "after", "invalid_value")
        ordered = ordered[ids.index(page.after) + 1 :]
    shown = ordered[: page.limit]
    first, last = (encode(item.item_id) for item in (shown[0], shown[-1])) if shown else (b"null", b"null")
    return b'{"object":"list","data":[%b],"first_id":%b,"last_id":%b,"has_more":%b}' % (
        b",".join(item.document for item in shown),
        first,
        last,
        b"true" if len(ordered) > len(shown) else b"false",
    )


def _kept(item: dict[str, Any], key: str) -> InputItem:
    kind = item["type"]
    whole = item | {"id": item.get("id") or f"{_PREFIXES.get(kind, 'item')}_in{key}"}
    if kind in _PREFIXES:
        whole["status"] = "completed"
    if kind == "message":
        whole["content"] = content_parts(item["content"], item["role"])
    return InputItem(whole["id"], encode(whole))


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and FEWEST <= int(text) <= MOST):
        message = f"Invalid 'limit': {text[:20]!r} is not an integer from {FEWEST} to {MOST}."
        raise ApiError(400, message, "limit", "invalid_value")
    return int(text)
