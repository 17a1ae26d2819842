import subprocess
import sys

import pytest

from agents.storage.open import open_storage, without_password
from agents.storage.store import Limits, StorageError

LIMITS = Limits(1, 1, 1)


@pytest.mark.parametrize(
    "url", ["", "sqlite://", "sqlite:///", "mysql://me:a-secret@host/db", "agent.db", "http://[me:a-secret@x"]
)
def test_what_is_no_storage_is_told_what_is(url: str) -> None:
    with pytest.raises(StorageError, match="use sqlite:///PATH, or postgresql://") as raised:
        open_storage(url, LIMITS)
    assert "a-secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:a-secret@host:5432/db?password=a-secret", "postgresql://me@host:5432/db"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("postgresql://host/db", "postgresql://host/db"),
        ("postgresql://me:a@secret@host/db", "postgresql://me@host/db"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_a_driver_that_is_missing_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("agents.storage.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg_pool", None)
    with pytest.raises(StorageError, match=r"pip install 'agentic-budgets\[postgres\]'") as raised:
        open_storage("postgresql://me:a-secret@host/db", LIMITS)
    assert "a-secret" not in str(raised.value)


def test_sqlite_needs_no_driver_of_postgres() -> None:
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['psycopg', 'psycopg_pool', 'sqlalchemy', 'langgraph.checkpoint.postgres']))\n"
        "from agents.storage.open import open_storage\nfrom agents.storage.store import Limits\n"
        "open_storage('sqlite:///agent.db', Limits(1, 1, 1))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
