"""What the budget service is asked and told about a call."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.integration.gateway.alone.gateway import DOMAIN, Gateway
from tests.integration.gateway.upstream import ANSWER, USAGE

pytestmark = pytest.mark.anyio

CALLER = {"describes": "call", "team": "victim", "user": "victim"}


async def test_a_check_tells_who_calls_what_for_and_by_which_request(alone: Gateway, http: httpx.AsyncClient) -> None:
    token = alone.token(sub="alice", team="dba", group="it", tier=3, tenant_id="acme", cost_center="42")
    answer = await alone.call(http, token, model="gpt-4o", max_tokens=7)
    assert answer.status_code == 200
    (check,) = alone.budgets.checks
    assert (check.domain, len(check.descriptors)) == (DOMAIN, 1)
    assert check.descriptors[0] == (
        {
            "describes": "call",
            "team": "dba",
            "user": "alice",
            "group": "it",
            "tier": "3",
            "tenant_id": "acme",
            "cost_center": "42",
            "model": "gpt-4o",
            "max_tokens": "7",
            "request_id": answer.headers["x-request-id"],
        },
        0,
    )


async def test_what_a_call_does_not_have_is_left_out_and_the_rest_goes(alone: Gateway, http: httpx.AsyncClient) -> None:
    answer = await alone.call(http)
    (check,) = alone.budgets.checks
    assert check.descriptors == ((CALLER | {"request_id": answer.headers["x-request-id"]}, 0),)


@pytest.mark.parametrize(
    ("caps", "told"),
    [
        ({"max_tokens": 7}, "7"),
        ({"max_completion_tokens": 9}, "9"),
        ({"max_tokens": 7, "max_completion_tokens": 9}, "9"),
        ({"max_completion_tokens": 9, "max_tokens": 7}, "9"),
        ({"max_completion_tokens": None, "max_tokens": 7}, "7"),
        ({"max_tokens": 4_294_967_296}, "4294967296"),
        ({"max_tokens": -1}, "-1"),
        ({"max_tokens": 7.5}, "7.500000"),
        ({"max_tokens": "many"}, "many"),
        ({"max_tokens": "9" * 32}, "9" * 32),
        ({"max_tokens": "9" * 10_000}, None),
        ({"max_tokens": ""}, None),
        ({"max_tokens": {"a": 1}}, None),
        ({"max_tokens": [1]}, None),
        ({"max_tokens": True}, "1"),
        ({"max_tokens": None}, None),
    ],
)
async def test_the_callers_cap_is_told_as_it_was_written(
    alone: Gateway, http: httpx.AsyncClient, caps: dict[str, Any], told: str | None
) -> None:
    assert (await alone.call(http, **caps)).status_code == 200
    ((entries, _),) = alone.budgets.checks[0].descriptors
    assert entries.get("max_tokens") == told


@pytest.mark.parametrize("streamed", [False, True], ids=["JSON", "a stream"])
async def test_a_charge_tells_each_figure_with_the_entries_of_its_check(
    alone: Gateway, http: httpx.AsyncClient, streamed: bool
) -> None:
    if streamed:
        alone.llm.streams({"choices": [{}], "usage": None}, {"choices": [{}]}, ANSWER)
    await alone.call(http, alone.token(group="it"), model="gpt-4o", max_tokens=7, stream=streamed)
    charge = await alone.charge()
    ((checked, _),) = alone.budgets.checks[0].descriptors
    call = {key: value for key, value in checked.items() if key != "max_tokens"}
    assert charge.descriptors == (
        (call | {"usage": "input"}, 10),
        (call | {"usage": "output"}, 20),
        (call | {"usage": "cached"}, 4),
        (call | {"response_status": "of the call"}, 200),
    )


ABSENT: dict[str, tuple[Any, dict[str, int]]] = {
    "no details": ({"prompt_tokens": 1, "completion_tokens": 2}, {"input": 1, "output": 2}),
    "null details": ({"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": None}, {"input": 1, "output": 2}),
    "empty details": ({"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": {}}, {"input": 1, "output": 2}),
    "nothing cached": (USAGE | {"prompt_tokens_details": {"cached_tokens": 0}}, {"input": 10, "output": 20, "cached": 0}),
    "no output": ({"prompt_tokens": 1}, {"input": 1}),
    "null": (None, {}),
    "text": ("much", {}),
    "a negative figure": ({"prompt_tokens": -1, "completion_tokens": 2}, {"output": 2}),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["JSON", "a stream"])
@pytest.mark.parametrize(("usage", "told"), ABSENT.values(), ids=ABSENT)
async def test_a_figure_that_is_not_there_loses_no_other_and_is_no_news(
    alone: Gateway, http: httpx.AsyncClient, usage: Any, told: dict[str, int], streamed: bool
) -> None:
    written = len(alone.lines)
    body = ANSWER | {"usage": usage}
    if streamed:
        alone.llm.streams(body)
    else:
        alone.llm.answers(body)
    answer = await alone.call(http, stream=streamed)
    assert (await alone.charge()).hits == told | {"status": 200}
    await alone.logged(answer.headers["x-request-id"])
    assert [line for line in alone.lines[written:] if not line.startswith("{")] == []


@pytest.mark.parametrize("streamed", [False, True], ids=["JSON", "a stream"])
async def test_a_figure_that_is_no_number_loses_no_other(alone: Gateway, http: httpx.AsyncClient, streamed: bool) -> None:
    body = ANSWER | {"usage": {"prompt_tokens": "many", "completion_tokens": 2}}
    if streamed:
        alone.llm.streams(body)
    else:
        alone.llm.answers(body)
    await alone.call(http, stream=streamed)
    assert (await alone.charge()).hits == {"output": 2, "status": 200}


async def test_a_caller_that_hangs_up_before_the_headers_is_told_as_status_0(alone: Gateway, http: httpx.AsyncClient) -> None:
    alone.llm.streams(ANSWER, stops_before=0)
    with pytest.raises(httpx.ReadTimeout):
        await http.post(
            f"{alone.url}/v1/chat/completions",
            json={"stream": True},
            headers={"authorization": f"Bearer {alone.token()}"},
            timeout=0.3,
        )
    assert (await alone.charge()).hits == {"status": 0}


async def test_a_caller_that_hangs_up_in_the_middle_is_told_as_a_status_without_usage(
    alone: Gateway, http: httpx.AsyncClient
) -> None:
    alone.llm.streams({"choices": [{}]}, ANSWER, stops_before=2)
    headers = {"authorization": f"Bearer {alone.token()}"}
    async with http.stream("POST", f"{alone.url}/v1/chat/completions", json={"stream": True}, headers=headers) as answer:
        assert b"choices" in await anext(answer.aiter_bytes())
    charge = await alone.charge()
    assert (charge.hits, charge.request_id) == ({"status": 200}, alone.budgets.checks[0].request_id)


@pytest.mark.parametrize("status", [400, 429, 500, 503])
async def test_an_llm_that_fails_is_told_as_its_status_alone(alone: Gateway, http: httpx.AsyncClient, status: int) -> None:
    alone.llm.answers({"error": {"message": "No."}}, status)
    assert (await alone.call(http)).status_code == status
    assert (await alone.charge()).hits == {"status": status}


async def test_of_a_refused_call_nothing_more_is_told_and_nothing_forwarded(alone: Gateway, http: httpx.AsyncClient) -> None:
    alone.budgets.refuses = True
    refused = await alone.call(http)
    assert (refused.status_code, alone.llm.heard) == (429, [])
    await alone.logged(refused.headers["x-request-id"])
    alone.budgets.refuses = False
    admitted = await alone.call(http)
    assert (await alone.charge()).request_id == admitted.headers["x-request-id"]


UNREADABLE = {
    "no JSON": "nonsense",
    "a comma too many": '{"messages": [],}',
    "nothing": "",
    "a NUL after it": '{"messages": []}\0',
    "a NUL after a stream": '{"messages": [], "stream": true}\0',
    "a NUL after a billed stream": '{"messages": [], "stream": true, "stream_options": {"include_usage": true}}\0',
    "a second body after a NUL": '{"messages": []}\0{"messages": [], "stream": true}',
    "a stream after a NUL": '{"stream": true, "messages": []\0}',
    "a NUL in a text": '{"messages": [], "user": "a\0b"}',
    "a NUL first": '\0{"messages": []}',
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
async def test_a_body_that_is_not_json_is_neither_asked_about_nor_forwarded(
    alone: Gateway, http: httpx.AsyncClient, body: str
) -> None:
    answer = await alone.send(http, body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert answer.json()["error"]["message"] == "The body must be a JSON object, sent as application/json."
    assert (alone.budgets.asked, alone.llm.heard) == ([], [])


async def test_an_escaped_nul_is_a_text_like_any_other(alone: Gateway, http: httpx.AsyncClient) -> None:
    assert (await alone.call(http, user="a\0b", stream=True)).status_code == 200
    (heard,) = alone.llm.heard
    body = json.loads(heard.body)
    assert (body["user"], body["stream_options"]) == ("a\0b", {"include_usage": True})


@pytest.mark.parametrize(
    "model",
    ["gpt-4o", 'team="dba"', "a|b^c`d\n\x01é", "describes", "x" * 256],
    ids=["plain", "quotes", "odd", "reserved", "long"],
)
async def test_a_model_is_free_text_and_the_value_of_its_own_entry_alone(
    alone: Gateway, http: httpx.AsyncClient, model: str
) -> None:
    answer = await alone.call(http, model=model)
    (check,) = alone.budgets.checks
    assert check.descriptors == ((CALLER | {"model": model, "request_id": answer.headers["x-request-id"]}, 0),)


@pytest.mark.parametrize("model", [5, True, "x" * 257], ids=["a number", "a boolean", "too long"])
async def test_a_model_that_no_budget_could_go_by_is_refused(alone: Gateway, http: httpx.AsyncClient, model: Any) -> None:
    answer = await alone.call(http, model=model)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model")
    assert (alone.budgets.asked, alone.llm.heard) == ([], [])


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("cap", [10**33, 1e300, "x" * 33, "9" * 8_000], ids=["a number", "a float", "33 bytes", "long"])
async def test_a_cap_that_the_budget_service_would_not_hear_is_refused(
    alone: Gateway, http: httpx.AsyncClient, field: str, cap: Any
) -> None:
    answer = await alone.call(http, **{field: cap})
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["param"]) == (400, "invalid_request_error", "max_tokens")
    assert error["message"] == "max_tokens must be a number of at most 32 digits."
    assert (alone.budgets.asked, alone.llm.heard) == ([], [])


PLANTED = {
    "x-team-id": "rich",
    "X-User-ID": "rich",
    "x-virtual-key": "rich",
    "x-dimension-group": "rich",
    "X-Dimension-Cost_Center": "rich",
    "x-dimension-not-configured": "rich",
}


async def test_no_header_of_the_callers_own_says_who_calls(alone: Gateway, http: httpx.AsyncClient) -> None:
    answer = await alone.call(http, alone.token(tier="free"), headers=PLANTED | {"x-request-id": "mine"})
    (check,) = alone.budgets.checks
    assert check.descriptors == ((CALLER | {"tier": "free", "request_id": answer.headers["x-request-id"]}, 0),)
    assert check.request_id != "mine"
    (heard,) = alone.llm.heard
    assert "rich" not in heard.headers.values()


@pytest.mark.parametrize("claims", [{"team": None}, {"team": ""}, {"sub": None}, {"sub": ""}], ids=str)
async def test_a_token_that_does_not_say_who_of_which_team_is_refused(
    alone: Gateway, http: httpx.AsyncClient, claims: dict[str, str | None]
) -> None:
    answer = await alone.call(http, alone.token(**claims), headers=PLANTED)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "missing_claim")
    assert (alone.budgets.asked, alone.llm.heard) == ([], [])


async def test_calls_at_once_do_not_mix(alone: Gateway, http: httpx.AsyncClient) -> None:
    names = [f"user-{number}" for number in range(20)]
    answers = await asyncio.gather(*(alone.call(http, alone.token(sub=name), model=name) for name in names))
    ids = {name: answer.headers["x-request-id"] for name, answer in zip(names, answers, strict=True)}
    told = {
        entries["user"]: (entries["model"], entries["request_id"])
        for check in alone.budgets.checks
        for entries, _ in check.descriptors
    }
    assert told == {name: (name, ids[name]) for name in names}
    assert {json.loads(heard.body)["model"]: heard.headers["x-user-id"] for heard in alone.llm.heard} == dict(
        zip(names, names, strict=True)
    )
