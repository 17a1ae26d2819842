"""The commands of an operator, against a small HTTP server that answers what a test told it."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from budgets.checking import check
from budgets.operate import raise_limit, reset, status
from tests.unit.budgets.policies import ONE_TEAM, budget_document, entry, lay_out, limit, ratelimit_file, secret

TOKENS = {
    "id": "team-token-budget/dba/hour",
    "unit": "tokens",
    "limit": 5_000,
    "used": 4_900,
    "reserved": 500,
    "remaining": 0,
    "reset_at": "2026-11-21T15:00:00Z",
}
DOLLARS = TOKENS | {"id": "usd", "unit": "usd", "limit": "2.5", "used": "0.0068825", "reserved": "0", "remaining": "2.4931175"}


@dataclass
class Stub:
    """What it answers, and what it was asked."""

    status: int = 200
    body: str = "{}"
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    url: str = ""

    def answers(self, body: object, status: int = 200) -> None:
        self.status, self.body = status, body if isinstance(body, str) else json.dumps(body)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    stub = Stub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = self.rfile.read(int(self.headers.get("content-length") or 0))
            stub.asked.append((self.command, self.path, json.loads(said) if said else None))
            body = stub.body.encode()
            self.send_response(stub.status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """The test looks at what was asked."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    stub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("BUDGETS_URL", stub.url)
    yield stub
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_status_is_a_table(service: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    service.answers({"budgets": [TOKENS, DOLLARS], "policy": {"loaded_at": "", "error": None}})
    status(None)
    assert service.asked == [("GET", "/v1/budgets", None)]
    assert capsys.readouterr().out.splitlines() == [
        "budget                           used  reserved  limit  remaining    unit  resets at",
        "team-token-budget/dba/hour      4,900       500  5,000          0  tokens  2026-11-21T15:00:00Z",
        "usd                         0.0068825         0    2.5  2.4931175     usd  2026-11-21T15:00:00Z",
    ]


def test_the_status_says_when_the_policy_is_not_in_force(service: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    service.answers({"budgets": [], "policy": {"loaded_at": "", "error": "budgets.yaml: is wrong."}})
    status(service.url + "/")
    assert capsys.readouterr().out.splitlines()[-1] == ("The policy file as it stands is not in force. budgets.yaml: is wrong.")


@pytest.mark.parametrize(
    ("team", "budget", "asked"), [("dba", None, {"team": "dba"}), (None, "usd", {"budget": "usd"})], ids=["team", "budget"]
)
def test_a_reset_says_what_was_emptied(
    service: Stub, capsys: pytest.CaptureFixture[str], team: str | None, budget: str | None, asked: dict[str, str]
) -> None:
    service.answers({"reset": [TOKENS, DOLLARS]})
    reset(None, team, budget)
    assert service.asked == [("POST", "/v1/budgets/reset", asked)]
    assert capsys.readouterr().out.splitlines() == [
        "team-token-budget/dba/hour: 4,900 -> 0 of 5,000 tokens",
        "usd: 0.0068825 -> 0 of 2.5 usd",
    ]


def test_a_raise_says_until_when(service: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    service.answers({"raised": TOKENS | {"limit": 8_000}, "until": "2026-11-21T16:00:00Z"})
    raise_limit(None, TOKENS["id"], "8000", 2)  # type: ignore[arg-type]
    assert service.asked == [("POST", "/v1/budgets/raise", {"budget": TOKENS["id"], "limit": "8000", "windows": 2})]
    assert capsys.readouterr().out == "team-token-budget/dba/hour: 8,000 tokens until 2026-11-21T16:00:00Z\n"


@pytest.mark.parametrize(
    ("code", "body", "said"),
    [
        (404, {"detail": "There is no budget 'x'."}, "The budget service answered 404: There is no budget 'x'."),
        (502, "<html>", "The budget service answered 502: <html>"),
        (500, {"error": 1}, 'The budget service answered 500: {"error": 1}'),
        (500, [], "The budget service answered 500: []"),
    ],
)
def test_an_error_of_the_service_is_one_sentence(service: Stub, code: int, body: object, said: str) -> None:
    service.answers(body, code)
    with pytest.raises(SystemExit) as stop:
        status(None)
    assert str(stop.value) == said


def test_another_service_at_that_address_is_named_as_such(service: Stub) -> None:
    service.answers("<html>hello</html>")
    with pytest.raises(SystemExit) as stop:
        status(None)
    assert str(stop.value) == f"What answers at {service.url} is no budget service. Name its HTTP port with --url."


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "not a url", "http://["])
def test_where_no_service_answers_the_sentence_says_what_to_do(url: str) -> None:
    with pytest.raises(SystemExit) as stop:
        status(url)
    assert str(stop.value).startswith(f"No budget service answers at {url} (")
    assert str(stop.value).endswith("Start the system with `make up`, or name the service with --url.")


def test_a_check_lists_the_budgets_of_a_good_policy_and_what_its_author_should_know(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {
        "a.yaml": ONE_TEAM,
        "b.yaml": budget_document(entry(subject={"user": "*"}, onBudgetExceeded="Audit")),
        "c.yaml": secret("provider", stringData={"openai": "sk-not-a-virtual-key"}),
    }
    check(lay_out(tmp_path, files), None)
    out = capsys.readouterr().out
    assert out.splitlines() == [
        "team-token-budget/dba/hour (team=dba): 5,000 tokens a calendar hour",
        "default/limits/spend/* (user=*): 100 tokens a rolling day, audited",
        f"Note: {tmp_path / 'c.yaml'}: no AgentgatewayPolicy names a source of virtual keys, so Secret provider is not used.",
    ]


def test_a_check_of_a_bad_policy_stops_with_what_is_wrong(tmp_path: Path) -> None:
    file = lay_out(tmp_path, {"a.yaml": ONE_TEAM.replace("HOUR", "FORTNIGHT")}) / "a.yaml"
    with pytest.raises(SystemExit, match=r"a\.yaml: spec\.raw\.descriptors\[0\]\.rateLimit\.unit"):
        check(file, None)


def test_a_check_is_for_the_domain_that_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = lay_out(tmp_path, {"a.yaml": ratelimit_file({"key": "team", "rate_limit": limit(1)}, domain="theirs")})
    with pytest.raises(SystemExit, match="is 'theirs', but 'agentic-budgets' is served"):
        check(policy, None)
    check(policy, "theirs")
    monkeypatch.setenv("BUDGETS_DOMAIN", "theirs")
    check(policy, None)
