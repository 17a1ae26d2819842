"""What kagent's controller wants to know about whoever calls it: the agent, its user, and the agent's token."""

import logging
from dataclasses import dataclass
from pathlib import Path

from agents.config import Settings

log = logging.getLogger(__name__)


class TokenFile:
    """A token that kubelet rotates in its file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, ...] | None = None
        self._token: str | None = None

    def read(self) -> str | None:
        """None where there is no file, or no token in it."""
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
            if stamp != self._stamp:
                self._token = self._usable(self._path.read_text(encoding="utf-8"))
                self._stamp = stamp
        except (OSError, UnicodeDecodeError):
            self._stamp = self._token = None
        return self._token

    def _usable(self, text: str) -> str | None:
        token = text.strip()
        if token.isascii() and token.isprintable():
            return token or None
        log.warning("%s holds no token that a header can carry: kagent's controller is called without.", self._path)
        return None


@dataclass(frozen=True)
class Caller:
    """The agent as kagent knows it."""

    namespace: str
    name: str
    token: TokenFile

    @property
    def ref(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def _identifier(self) -> str:
        return self.ref.replace("-", "_").replace("/", "__NS__")

    def headers(self, user: str) -> dict[bytes, bytes]:
        """`user` in the bytes in which it came: what is stored under another user's name is not shown to this one."""
        headers = {b"x-agent-name": self._identifier.encode(), b"x-user-id": user.encode("latin-1", "replace")}
        token = self.token.read()
        if token:
            headers[b"authorization"] = b"Bearer " + token.encode()
        return headers


def caller_of(settings: Settings) -> Caller | None:
    """None outside of kagent, which sets the agent's name, its namespace and the controller's address."""
    if not (settings.kagent_url and settings.kagent_name and settings.kagent_namespace):
        return None
    return Caller(settings.kagent_namespace, settings.kagent_name, TokenFile(settings.kagent_token_file))
