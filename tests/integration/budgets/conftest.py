import gc
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runner.ports import Ports
from runner.supervisor import Supervisor
from runner.valkey import embedded_valkey
from tests.integration.budgets.stores import RunningValkey


@asynccontextmanager
async def running_valkey(folder: Path) -> AsyncIterator[RunningValkey]:
    """A real Valkey that a supervisor restarts when it is killed."""
    lines: list[str] = []
    with Ports() as ports:
        embedded = embedded_valkey(folder / "valkey", ports.take())
        async with Supervisor(lambda name, line: lines.append(line), lines.append) as supervisor:
            await supervisor.start(embedded.program)
            yield RunningValkey(embedded.url, supervisor)


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[RunningValkey]:
    """One to hurt."""
    async with running_valkey(tmp_path) as running:
        yield running
    # redis-py leaves a connection whose handshake timed out to the garbage collector, which would tell of it in another test.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="session")
async def shared_valkey(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningValkey]:
    """One that every test may use under a domain of its own, and none may hurt."""
    async with running_valkey(tmp_path_factory.mktemp("shared")) as running:
        yield running
