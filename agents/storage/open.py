"""Opens what AGENT_STORE names."""

from contextlib import AbstractAsyncContextManager
from urllib.parse import urlsplit

from agents.storage.store import Limits, Storage, StorageError

SQLITE = "sqlite:///"
POSTGRES = ("postgresql://", "postgres://")


def open_storage(url: str, limits: Limits) -> AbstractAsyncContextManager[Storage]:
    """`sqlite:///PATH`, with a fourth slash where the path is absolute, or `postgresql://USER:PASSWORD@HOST/DB`.

    Sweeps at the start and before the end. Raises StorageError, here or on entry, where it cannot be used.
    """
    # Each is imported where it is asked for: an agent on SQLite needs no driver of Postgres.
    if url.startswith(SQLITE) and url != SQLITE:
        from agents.storage.sqlite import open_sqlite  # noqa: PLC0415

        return open_sqlite(url.removeprefix(SQLITE), limits)
    if url.startswith(POSTGRES):
        try:
            from agents.storage.postgres import open_postgres  # noqa: PLC0415
        except ImportError as error:
            raise StorageError(
                f"{without_password(url)} needs packages that are not installed: "
                "run `pip install 'agentic-budgets[postgres]'` where the agent's Python is."
            ) from error
        return open_postgres(url, without_password(url), limits)
    raise StorageError(f"{without_password(url)!r} is no storage: use sqlite:///PATH, or postgresql://USER:PASSWORD@HOST/DB.")


def without_password(url: str) -> str:
    """As it may be logged: no password, and no query, which can hold one as well."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.partition("://")[0]
    user, at, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user.partition(':')[0]}{at}{host}", query="", fragment="").geturl()
