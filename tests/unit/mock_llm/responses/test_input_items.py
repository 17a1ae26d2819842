import json
from typing import Any

import pytest

from mock_llm.errors import ApiError
from mock_llm.responses.input_items import kept_items, listed, read_page

ITEMS = kept_items(
    [{"type": "message", "role": "user", "content": str(number), "id": f"m{number}"} for number in range(30)], "k"
)


def page(**query: str) -> Any:
    return json.loads(listed(ITEMS, read_page(query)))


def ids(**query: str) -> list[str]:
    return [item["id"] for item in page(**query)["data"]]


def test_items_are_kept_with_an_id_and_their_content_as_parts() -> None:
    items: list[dict[str, Any]] = [
        {"type": "message", "role": "user", "content": "hello"},
        {"type": "message", "role": "assistant", "content": "hi"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]},
        {"type": "function_call", "call_id": "a", "name": "search", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "up", "id": "mine"},
        {"type": "reasoning", "id": None},
    ]
    told = [json.loads(item.document) for item in kept_items(items, "f00")]
    assert [item["id"] for item in told] == ["msg_inf0000", "msg_inf0001", "msg_inf0002", "fc_inf0003", "mine", "item_inf0005"]
    assert [item.item_id for item in kept_items(items, "f00")] == [item["id"] for item in told]
    assert told[0]["content"] == [{"type": "input_text", "text": "hello"}]
    assert told[1]["content"] == [{"type": "output_text", "text": "hi", "annotations": []}]
    assert told[2]["content"] == [{"type": "input_text", "text": "x"}]
    assert [item.get("status") for item in told] == ["completed"] * 5 + [None]
    assert told[3].items() >= items[3].items()


def test_a_page_has_the_last_20_first() -> None:
    first = page()
    assert first["object"] == "list"
    assert [item["id"] for item in first["data"]] == [f"m{number}" for number in range(29, 9, -1)]
    assert (first["first_id"], first["last_id"], first["has_more"]) == ("m29", "m10", True)


def test_pages_follow_one_another() -> None:
    assert ids(after="m10") == [f"m{number}" for number in range(9, -1, -1)]
    assert page(after="m10")["has_more"] is False
    assert ids(order="asc", limit="2") == ["m0", "m1"]
    assert ids(order="asc", limit="100", after="m27") == ["m28", "m29"]
    last = page(after="m0")
    assert (last["data"], last["first_id"], last["last_id"], last["has_more"]) == ([], None, None, False)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"order": "up"}, "order"),
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"limit": ""}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "\N{SUPERSCRIPT TWO}"}, "limit"),
        ({"limit": "9" * 5000}, "limit"),
        ({"after": "nobody"}, "after"),
    ],
)
def test_a_page_that_there_is_not_is_refused(query: dict[str, str], param: str) -> None:
    with pytest.raises(ApiError) as caught:
        page(**query)
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, param, "invalid_value")
