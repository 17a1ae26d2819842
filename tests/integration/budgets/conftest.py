from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runner.ports import Ports
from runner.supervisor import Supervisor
from runner.valkey import embedded_valkey
from tests.integration.budgets.stores import RunningValkey


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[RunningValkey]:
    """A real Valkey that a supervisor restarts when it is killed."""
    lines: list[str] = []
    with Ports() as ports:
        embedded = embedded_valkey(tmp_path / "valkey", ports.take())
        async with Supervisor(lambda name, line: lines.append(line), lines.append) as supervisor:
            await supervisor.start(embedded.program)
            yield RunningValkey(embedded.url, supervisor)
