"""The three calls of kagent's controller that an agent makes, and what becomes of each."""

import asyncio
import logging
from collections import OrderedDict
from urllib.parse import quote

import httpx

from agents.kagent.headers import Caller
from agents.kagent.pending import Push
from agents.kagent.pushed import title, to_pushed

log = logging.getLogger(__name__)

MOST_CONTEXTS = 10_000

LONGEST_CALL = 30
"""Seconds. The client's own time-outs bound each silence, and not an answer that comes byte by byte."""

MAY_PASS = frozenset({408, 429})


class AwayError(Exception):
    """The controller cannot be reached, or is not well: another try may help. The text says how."""


class RefusedError(Exception):
    """The controller does not want it: another try would be refused as well."""


class ControllerApi:
    """Raises AwayError and RefusedError, and nothing else for what the network or the controller does."""

    def __init__(self, http: httpx.AsyncClient, caller: Caller) -> None:
        self._http = http
        self._caller = caller
        self._with_session: OrderedDict[tuple[str, str], None] = OrderedDict()

    async def store(self, push: Push) -> None:
        """The task, after a session for its context: without one, kagent's UI does not list it."""
        await self._ensure_session(push)
        await self._call("POST", "/api/tasks", push.user, to_pushed(push.task))

    async def _ensure_session(self, push: Push) -> None:
        """Asks first: a blind POST would overwrite the name and the source of a session that the UI has made."""
        context = (push.user, push.task.context_id)
        if context in self._with_session:
            return
        try:
            found = await self._call("GET", f"/api/sessions/{quote(push.task.context_id, safe='')}", push.user)
            if found.status_code == 404:
                await self._call("POST", "/api/sessions", push.user, self._session(push))
        except RefusedError as error:
            log.warning("Context %.80s has no session in kagent, so its UI may not list it: %s.", push.task.context_id, error)
        self._with_session[context] = None
        if len(self._with_session) > MOST_CONTEXTS:
            self._with_session.popitem(last=False)

    def _session(self, push: Push) -> dict[str, str]:
        session = {"id": push.task.context_id, "agent_ref": self._caller.ref, "name": title(push.task)}
        # The UI hides from its list what is a call of another agent.
        return session | {"source": "agent"} if push.source == "agent" else session

    async def _call(self, method: str, path: str, user: str, document: object = None) -> httpx.Response:
        try:
            async with asyncio.timeout(LONGEST_CALL):
                response = await self._http.request(method, path, json=document, headers=self._caller.headers(user))
        except (httpx.RequestError, TimeoutError) as error:
            raise AwayError(str(error) or type(error).__name__) from error
        _check(response, absent_is_fine=method == "GET")
        return response

    async def aclose(self) -> None:
        await self._http.aclose()


def _check(response: httpx.Response, absent_is_fine: bool) -> None:
    status = response.status_code
    told = f"{response.request.method} {response.request.url.path[:80]}: HTTP {status}"
    if status >= 500 or status in MAY_PASS:
        raise AwayError(told)
    if status == 404 and absent_is_fine:
        return
    if status >= 300:
        raise RefusedError(told)
    if response.headers.get("content-type", "").startswith("text/html"):
        raise AwayError(f"{told}, a web page: that is not kagent's controller")
