"""What "it is up" means for a program: a condition to poll, never a time to wait."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx

ANSWER = 2.0
"""Seconds that one question may take before it counts as a no."""

# httpx reads the system's certificates for each client, 10 ms of work that plain http on this machine has no use for.
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass(frozen=True)
class Health:
    """`check` answers whether the program is up; `waits_for` completes the sentence "it waited for ..."."""

    check: Callable[[], Awaitable[bool]]
    waits_for: str


def http_ok(url: str) -> Health:
    """Up when a GET of this http:// URL is answered with a 2xx status. Ignores the proxies of the environment."""

    async def check() -> bool:
        try:
            async with httpx.AsyncClient(verify=_NO_CERTIFICATES, trust_env=False, timeout=ANSWER) as client:
                return (await client.get(url)).is_success
        except httpx.HTTPError:
            return False

    return Health(check, f"{url} to answer 2xx")


def tcp_open(host: str, port: int) -> Health:
    """Up when a TCP connection is accepted."""

    async def check() -> bool:
        try:
            async with asyncio.timeout(ANSWER):
                _, writer = await asyncio.open_connection(host, port)
        except OSError:  # TimeoutError is one
            return False
        writer.close()
        return True

    return Health(check, f"{host}:{port} to accept connections")
