"""What "it is up" means for a program: a condition to poll, never a time to wait."""

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx

ANSWER = 2.0
"""Seconds that one question may take before it counts as a no."""

# httpx reads the system's certificates for each client, 10 ms of work that plain http on this machine has no use for.
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


LONGEST_BODY = 300
"""Characters of an answer that are worth saying."""


@dataclass(frozen=True)
class Health:
    """`check` answers whether the program is up; `waits_for` completes the sentence "it waited for ...", and `answered`
    says what the last no was, where it was an answer."""

    check: Callable[[], Awaitable[bool]]
    waits_for: str
    answered: Callable[[], str] = lambda: ""


def http_ok(url: str) -> Health:
    """Up when a GET of this http:// URL is answered with a 2xx status. Ignores the proxies of the environment."""
    refusal = ""

    async def check() -> bool:
        nonlocal refusal
        try:
            async with httpx.AsyncClient(verify=_NO_CERTIFICATES, trust_env=False, timeout=ANSWER) as client:
                answer = await client.get(url)
        except httpx.ConnectError:
            refusal = ""  # what an earlier run of the program answered says nothing about this one
            return False
        except httpx.HTTPError:
            return False
        refusal = "" if answer.is_success else f"{answer.status_code}: {' '.join(answer.text.split())[:LONGEST_BODY]}"
        return answer.is_success

    return Health(check, f"{url} to answer 2xx", lambda: refusal)
