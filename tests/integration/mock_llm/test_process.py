"""The mock as a process: how it ends, what its help says, and which settings stop it."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from .serving import a_process, serving

PATH = "/v1/chat/completions"
BODY = json.dumps(
    {"messages": [{"role": "user", "content": "hello"}], "stream": True, "stream_options": {"include_usage": True}}
).encode()
PATIENCE = 15


def wait_until_refused(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.02)
    raise AssertionError(f"port {port} was still open after {PATIENCE} s")


def test_a_request_under_way_is_answered_in_full_when_the_mock_is_told_to_end() -> None:
    with serving("mock_llm") as (process, base):
        port = int(base.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection, connection.makefile("rb") as answer:
            head = f"POST {PATH} HTTP/1.1\r\nhost: mock\r\nexpect: 100-continue\r\ncontent-type: application/json\r\n"
            connection.sendall(f"{head}content-length: {len(BODY)}\r\n\r\n".encode())
            # The server says so when the application asks for the body: from here on the request is under way.
            assert answer.readline() == b"HTTP/1.1 100 Continue\r\n"
            process.terminate()
            wait_until_refused(port)
            connection.sendall(BODY)
            assert b"data: [DONE]\n\n" in answer.read()
        assert process.wait(PATIENCE) == 0
        assert process.stderr is not None
        assert "ERROR" not in process.stderr.read()


def test_help_answers_what_a_newcomer_asks() -> None:
    told = subprocess.run([sys.executable, "-m", "mock_llm", "--help"], capture_output=True, text=True, check=True).stdout
    for word in (
        "OPENAI_BASE_URL",
        "x-mock-completion-tokens",
        "x-mock-fault",
        "/ledger",
        "MOCK_LLM_TTFT_MS",
        "MOCK_LLM_MODELS",
    ):
        assert word in told


def test_a_wrong_list_of_models_stops_the_start_with_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "models.yaml"
    file.write_text("models: [{id: a, price: 1}]", encoding="utf-8")
    with a_process("mock_llm", MOCK_LLM_MODELS=str(file)) as process:
        assert process.wait(30) == 1
        assert process.stderr is not None
        (sentence,) = process.stderr.read().splitlines()
        assert sentence == f"{file}: models[0].price: this field is unknown: take it out. MOCK_LLM_MODELS names this file."


def test_a_list_of_models_and_the_settings_reach_the_answers(tmp_path: Path) -> None:
    file = tmp_path / "models.yaml"
    file.write_text("models: [{id: a, usage: {prompt_tokens: 56}}, {id: b}]", encoding="utf-8")
    with (
        serving("mock_llm", MOCK_LLM_MODELS=str(file), MOCK_LLM_TOKENS="700", MOCK_LLM_JOURNAL="1") as (_, base),
        httpx.Client(base_url=base, trust_env=False) as http,
    ):
        body = {"messages": [{"role": "user", "content": "hello"}]}
        told = [http.post(PATH, json=body | {"model": model}).json()["usage"]["total_tokens"] for model in ("a", "b")]
        assert told == [756, 701]
        assert http.get("/ledger/entries").json()["dropped"] == 1
