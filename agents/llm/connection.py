"""The way to the gateway: one pooled client, the token, and the two addresses behind it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from agents.config import Settings

CHAT = "/chat/completions"


class Connection:
    """`llm` is the address of the chat completions, `balance` that of the budgets: `/v1/budget` beside it."""

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.llm = str(settings.llm_url)
        self.balance = f"{self.llm.removesuffix('/').removesuffix(CHAT)}/budget"
        self.timeout = settings.llm_timeout
        self._token = settings.token
        self._http = httpx.AsyncClient(
            transport=transport,
            timeout=httpx.Timeout(self.timeout, connect=min(5, self.timeout)),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=32),
            # A proxy from the environment would be handed the team's token.
            trust_env=False,
        )

    def credential(self) -> str:
        """The token for one request. Another request may be sent with another."""
        return self._token.current()

    @asynccontextmanager
    async def request(self, method: str, url: str, credential: str, document: object = None) -> AsyncIterator[httpx.Response]:
        """The body is not read yet. Raises what httpx raises."""
        headers = {"Authorization": f"Bearer {credential}"}
        async with self._http.stream(method, url, json=document, headers=headers) as response:
            yield response

    def has_newer(self, refused: str) -> bool:
        """Looks whether there is another token by now than the one that was refused."""
        self._token.renew()
        return self._token.current() != refused

    async def aclose(self) -> None:
        await self._http.aclose()
