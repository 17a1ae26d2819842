import asyncio
import logging
from pathlib import Path

import pytest

from jwt_issuer.oauth.client_file import ClientFile
from jwt_issuer.oauth.client_secrets import hash_secret
from jwt_issuer.oauth.clients import ClientsError

from .token_clients import TERMS

pytestmark = pytest.mark.anyio

HASH = hash_secret("secret")


def write(path: Path, *client_ids: str) -> None:
    entries = "".join(
        f"  - {{client_id: {each}, secret_hash: '{HASH}', sub: alice, scopes: [{each}]}}\n" for each in client_ids
    )
    path.write_text(f"clients:\n{entries}" if entries else "clients: []", encoding="utf-8")


def spoil(path: Path) -> None:
    path.write_text("clients: [{client_id: ci, secret_hash: hunter2}]", encoding="utf-8")


def remove(path: Path) -> None:
    path.unlink()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "clients.yaml"
    write(path, "ci")
    return path


def messages(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == level]


async def test_an_edit_holds_from_the_next_request_on(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    file = ClientFile(path, TERMS)
    assert (await file.current()).find("ci")
    write(path, "newcomer")
    clients = await file.current()
    assert clients.find("newcomer")
    assert not clients.find("ci")
    assert (await file.current()).scopes == {"newcomer"}
    assert messages(caplog, logging.INFO) == [f"Took up {path}, which has 1 clients."]


async def test_without_an_edit_nothing_is_read_anew(path: Path) -> None:
    file = ClientFile(path, TERMS)
    assert await file.current() is await file.current()


async def test_the_last_client_can_be_taken_out(path: Path) -> None:
    file = ClientFile(path, TERMS)
    write(path)
    assert len(await file.current()) == 0


async def test_a_bad_edit_keeps_the_last_good_list_and_is_said_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = ClientFile(path, TERMS)
    spoil(path)
    for _ in range(3):
        assert (await file.current()).find("ci")
    [said] = messages(caplog, logging.ERROR)
    assert said.startswith(f"The clients stay as they were: {path}: clients[0].secret_hash: ")
    assert "hunter2" not in said
    write(path, "repaired")
    assert (await file.current()).find("repaired")


async def test_a_file_that_goes_and_comes_back(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = ClientFile(path, TERMS)
    remove(path)
    assert (await file.current()).find("ci")
    assert (await file.current()).find("ci")
    assert len(messages(caplog, logging.ERROR)) == 1
    write(path, "back")
    assert (await file.current()).find("back")


async def test_a_link_that_is_moved_is_an_edit(tmp_path: Path) -> None:
    """As Kubernetes does with a mounted Secret."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "clients.yaml", name)
    data, moved = tmp_path / "..data", tmp_path / "..data_tmp"
    data.symlink_to("old")
    file = ClientFile(data / "clients.yaml", TERMS)
    moved.symlink_to("new")
    moved.replace(data)
    assert (await file.current()).find("new")


async def test_of_many_that_come_after_an_edit_one_reads(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    file = ClientFile(path, TERMS)
    write(path, "newcomer")
    found = await asyncio.gather(*(file.current() for _ in range(10)))
    assert all(clients.find("newcomer") for clients in found)
    assert len(messages(caplog, logging.INFO)) == 1


def test_a_file_that_is_wrong_from_the_start_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClientsError, match="cannot be read"):
        ClientFile(tmp_path / "clients.yaml", TERMS)
