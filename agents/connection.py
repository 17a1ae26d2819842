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

    @asynccontextmanager
    async def request(self, method: str, url: str, document: object = None) -> AsyncIterator[httpx.Response]:
        """With the agent's credential; the body is not read yet. Raises what httpx raises."""
        headers = {"Authorization": f"Bearer {self._token.current()}"}
        async with self._http.stream(method, url, json=document, headers=headers) as response:
            yield response

    def without_token(self, body: bytes) -> bytes:
        """An error may echo what was sent, and errors are quoted to the user."""
        return body.replace(self._token.current().encode(), b"[LLM_JWT]")

    def renew_token(self) -> bool:
        """True where there is another token now."""
        return self._token.renew()

    async def aclose(self) -> None:
        await self._http.aclose()
