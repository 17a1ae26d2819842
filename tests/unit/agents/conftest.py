from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agents.config import Settings
from agents.storage.open import open_storage
from agents.storage.store import Limits, Storage


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of whoever runs the tests (HOST, PORT, ...) reaches the settings."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    async with open_storage(f"sqlite:///{tmp_path}/a.sqlite3", Limits(tasks=1000, contexts=1000, seconds=86_400)) as opened:
        yield opened
