"""What an operator asks of a running budget service, from the command line."""

import os
from typing import Any

import httpx

DEFAULT_URL = "http://127.0.0.1:8084"


def status(url: str | None) -> None:
    answer = _ask("GET", url, "/v1/budgets")
    rows = [
        ("budget", "used", "reserved", "limit", "remaining", "unit", "resets at"),
        *(_row(budget) for budget in answer["budgets"]),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for name, *figures, reset_at in rows:
        cells = [name.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(figures, widths[1:], strict=False))]
        print("  ".join([*cells, reset_at]))
    if answer["policy"]["error"]:
        print(f"The policy file as it stands is not in force. {answer['policy']['error']}")


def reset(url: str | None, team: str | None, budget: str | None) -> None:
    for each in _ask("POST", url, "/v1/budgets/reset", {"budget": budget} if budget else {"team": team})["reset"]:
        print(f"{each['id']}: {_spoken(each['used'])} -> 0 of {_spoken(each['limit'])} {each['unit']}")


def raise_limit(url: str | None, budget: str, limit: str, windows: int) -> None:
    answer = _ask("POST", url, "/v1/budgets/raise", {"budget": budget, "limit": limit, "windows": windows})
    raised = answer["raised"]
    print(f"{raised['id']}: {_spoken(raised['limit'])} {raised['unit']} until {answer['until']}")


def _row(budget: dict[str, Any]) -> tuple[str, ...]:
    return (
        budget["id"],
        _spoken(budget["used"]),
        _spoken(budget["reserved"]),
        _spoken(budget["limit"]),
        _spoken(budget["remaining"]),
        budget["unit"],
        budget["reset_at"],
    )


def _spoken(amount: int | str) -> str:
    return f"{amount:,}" if isinstance(amount, int) else amount


def _ask(method: str, url: str | None, path: str, body: dict[str, object] | None = None) -> Any:
    base = (url or os.environ.get("BUDGETS_URL") or DEFAULT_URL).rstrip("/")
    try:
        answer = httpx.request(method, base + path, json=body, timeout=10, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SystemExit(
            f"No budget service answers at {base} ({error}). Start the system with `make up`, or name the service with --url."
        ) from None
    if answer.is_error:
        raise SystemExit(f"The budget service answered {answer.status_code}: {_detail(answer)}")
    try:
        return answer.json()
    except ValueError:
        raise SystemExit(f"What answers at {base} is no budget service. Name its HTTP port with --url.") from None


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:400]
