"""Each fault as a client meets it on a real socket. None but `empty` reports usage, so none but `empty` is in the ledger."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mock_llm.essays import ESSAYS
from tests.unit.mock_llm.told import chat_usage, counts

from .serving import serving

PATH = "/v1/chat/completions"
STREAM: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
FORMS = pytest.mark.parametrize("form", [{}, STREAM], ids=["json", "stream"])


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving("mock_llm", MOCK_LLM_SEED="7") as (_, base):
        yield base


@pytest.fixture
def http(url: str, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A client whose user is the test, so that each test has a row of its own in the one ledger."""
    caller = {"X-Team-ID": "dba", "X-User-Id": request.node.name}
    with httpx.Client(base_url=url, trust_env=False, headers=caller) as client:
        yield client


def ask(http: httpx.Client, fault: str, form: dict[str, Any]) -> httpx.Response:
    prompt = {"messages": [{"role": "user", "content": "hello"}]}
    return http.post(PATH, json=prompt | form, headers={"x-mock-fault": fault})


def entered(http: httpx.Client) -> list[dict[str, Any]]:
    return [row for row in http.get("/ledger").json()["callers"] if row["user"] == http.headers["x-user-id"]]


def outcomes(http: httpx.Client) -> list[str]:
    found = http.get("/ledger/entries", params={"user": http.headers["x-user-id"]}).json()["entries"]
    return [entry["outcome"] for entry in found]


def events_of(text: str) -> list[str]:
    *events, rest = text.split("\n\n")
    assert rest == ""
    return [event.removeprefix("data: ") for event in events]


@FORMS
@pytest.mark.parametrize(
    ("fault", "refusal"),
    [
        ("rate_limited", (429, "requests", "rate_limit_exceeded", "0")),
        ("server_error", (500, "server_error", None, None)),
        ("overloaded", (503, "server_error", None, "1")),
    ],
)
def test_a_refusal_is_the_providers(http: httpx.Client, fault: str, refusal: tuple[Any, ...], form: dict[str, Any]) -> None:
    response = ask(http, fault, form)
    error = response.json()["error"]
    assert (response.status_code, error["type"], error["code"], response.headers.get("retry-after")) == refusal
    assert ("x-ratelimit-remaining-requests" in response.headers) == (fault == "rate_limited")
    assert entered(http) == []
    assert outcomes(http) == [fault]


@FORMS
def test_a_time_out_sends_no_byte_until_the_client_leaves(http: httpx.Client, form: dict[str, Any]) -> None:
    http.timeout = httpx.Timeout(5, read=0.2)
    with pytest.raises(httpx.ReadTimeout):
        ask(http, "timeout", form)
    http.timeout = httpx.Timeout(5)
    assert entered(http) == []
    assert outcomes(http) == ["timeout"]


@FORMS
def test_a_reset_comes_before_any_byte(http: httpx.Client, form: dict[str, Any]) -> None:
    with pytest.raises(httpx.ReadError, match="reset"):
        ask(http, "reset", form)
    assert entered(http) == []
    assert outcomes(http) == ["reset"]


def test_a_cut_body_is_shorter_than_announced(http: httpx.Client) -> None:
    with pytest.raises(httpx.RemoteProtocolError) as caught:
        ask(http, "cut", {})
    sizes = re.search(r"received (\d+) bytes, expected (\d+)", str(caught.value))
    assert sizes is not None
    got, announced = map(int, sizes.groups())
    assert 0 < got < announced
    assert entered(http) == []
    assert outcomes(http) == ["cut"]


def test_a_cut_stream_breaks_off_without_a_finish_reason(http: httpx.Client) -> None:
    got = bytearray()
    body = {"messages": [{"role": "user", "content": "hello fault:cut"}]} | STREAM
    with http.stream("POST", PATH, json=body) as response, pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        for chunk in response.iter_raw():
            got += chunk
    deltas = [json.loads(event)["choices"][0] for event in events_of(got.decode())]
    assert len(deltas) > 1
    assert {delta["finish_reason"] for delta in deltas} == {None}
    assert entered(http) == []
    assert outcomes(http) == ["cut"]


def test_a_malformed_body_is_whole_by_its_length_and_no_json(http: httpx.Client) -> None:
    response = ask(http, "malformed", {})
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert "usage" not in response.text
    with pytest.raises(json.JSONDecodeError):
        response.json()
    assert entered(http) == []
    assert outcomes(http) == ["malformed"]


def test_a_malformed_stream_has_a_bad_event_among_good_ones(http: httpx.Client) -> None:
    response = ask(http, "malformed", STREAM)
    assert response.status_code == 200
    *good, bad, done = events_of(response.text)
    assert all(json.loads(event)["choices"] for event in good)
    assert good
    assert done == "[DONE]"
    with pytest.raises(json.JSONDecodeError):
        json.loads(bad)
    assert entered(http) == []
    assert outcomes(http) == ["malformed"]


def test_a_good_answer_may_lack_its_usage(http: httpx.Client) -> None:
    document = ask(http, "no_usage", {}).json()
    assert document["choices"][0]["message"]["content"] in ESSAYS
    assert "usage" not in document
    *events, done = events_of(ask(http, "no_usage", STREAM).text)
    assert json.loads(events[-1])["choices"][0]["finish_reason"] == "stop"
    assert not any("usage" in json.loads(event) for event in events)
    assert done == "[DONE]"
    assert entered(http) == []
    assert outcomes(http) == ["no_usage"] * 2


@FORMS
def test_an_empty_answer_has_no_choices_and_says_what_the_prompt_cost(http: httpx.Client, form: dict[str, Any]) -> None:
    response = ask(http, "empty", form)
    assert response.status_code == 200
    document = json.loads(events_of(response.text)[0]) if form else response.json()
    assert document["choices"] == []
    assert document["usage"] == chat_usage(1, 0)
    (row,) = entered(http)
    told = {"requests": 1} | counts(document["usage"])
    assert row == {"team": "dba", "user": http.headers["x-user-id"]} | told


@pytest.mark.parametrize("by", ["header", "prompt"])
def test_a_fault_with_a_count_lets_a_retry_through(http: httpx.Client, by: str) -> None:
    body = {"messages": [{"role": "user", "content": "hello" if by == "header" else "hello fault:server_error*2"}]}
    headers = {"x-mock-fault": "server_error*2"} if by == "header" else {}
    assert [http.post(PATH, json=body, headers=headers).status_code for _ in range(4)] == [500, 500, 200, 200]
    (row,) = entered(http)
    assert row["requests"] == 2
    assert outcomes(http) == ["answered"] * 2 + ["server_error"] * 2


def test_an_unknown_fault_in_the_header_is_refused_with_the_names(http: httpx.Client) -> None:
    response = ask(http, "nope", {})
    assert response.status_code == 400
    assert "rate_limited, server_error, overloaded, timeout, reset, cut" in response.json()["error"]["message"]


def test_faults_come_by_chance_and_the_same_in_every_run() -> None:
    def statuses() -> list[int]:
        settings = {"MOCK_LLM_SEED": "7", "MOCK_LLM_FAULT_RATES": "rate_limited=0.3,server_error=0.3"}
        body = {"messages": [{"role": "user", "content": "hello"}]}
        with serving("mock_llm", **settings) as (_, base), httpx.Client(base_url=base, trust_env=False) as http:
            return [http.post(PATH, json=body).status_code for _ in range(30)]

    met = statuses()
    assert set(met) == {200, 429, 500}
    assert statuses() == met


def test_faults_leave_no_word_in_the_log_and_do_not_keep_the_service_from_ending() -> None:
    with serving("mock_llm") as (process, base):
        with httpx.Client(base_url=base, trust_env=False, timeout=httpx.Timeout(5, read=0.2)) as http:
            for fault in ("reset", "cut", "timeout"):
                with pytest.raises(httpx.TransportError):
                    ask(http, fault, {})
            assert http.get("/healthz").status_code == 200
        process.terminate()
        errors = process.communicate(timeout=15)[1]
    assert "ERROR" not in errors
    assert "Traceback" not in errors
