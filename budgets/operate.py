"""What an operator asks of a running budget service, from the command line."""

import os
from pathlib import Path
from typing import Any

import httpx

from budgets.policy import Policy
from service.rate_limit_config import PolicyError

DEFAULT_URL = "http://127.0.0.1:8084"


def status(url: str | None) -> None:
    answer = _ask("GET", url, "/v1/budgets")
    rows = [("budget", "used", "limit", "remaining", "resets at"), *(_row(budget) for budget in answer["budgets"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for name, *figures, reset_at in rows:
        cells = [name.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(figures, widths[1:], strict=False))]
        print("  ".join([*cells, reset_at]))
    if answer["policy"]["error"]:
        print(f"The policy file as it stands is not in force. {answer['policy']['error']}")


def reset(url: str | None, team: str) -> None:
    for budget in _ask("POST", url, "/v1/budgets/reset", {"team": team})["reset"]:
        print(f"{budget['id']}: {budget['used']:,} -> 0 of {budget['limit']:,} tokens")


def check(file: str) -> None:
    """Raises SystemExit when the policy is wrong."""
    try:
        policy = Policy.read(Path(file))
    except PolicyError as error:
        raise SystemExit(str(error)) from None
    for budget in policy.fixed_budgets():
        print(f"{budget.id}: {budget.limit:,} tokens")


def _row(budget: dict[str, Any]) -> tuple[str, str, str, str, str]:
    return (
        budget["id"],
        f"{budget['used']:,}",
        f"{budget['limit']:,}",
        f"{budget['remaining']:,}",
        budget["reset_at"],
    )


def _ask(method: str, url: str | None, path: str, body: dict[str, str] | None = None) -> Any:
    base = (url or os.environ.get("BUDGETS_URL") or DEFAULT_URL).rstrip("/")
    try:
        answer = httpx.request(method, base + path, json=body, timeout=10, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SystemExit(
            f"No budget service answers at {base} ({error}). Start the system with `make up`, or name the service with --url."
        ) from None
    if answer.is_error:
        raise SystemExit(f"The budget service answered {answer.status_code}: {_detail(answer)}")
    return answer.json()


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:400]
