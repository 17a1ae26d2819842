"""Keeps the rules in force equal to the policy documents: a good edit is taken up, a bad one is refused and said."""

import asyncio
import logging
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from budgets.documents.catalogs import CATALOG
from budgets.documents.errors import PolicyError
from budgets.documents.folders import SUFFIXES
from budgets.rules import Rules

log = logging.getLogger("budgets")

INTERVAL = 0.5
"""Seconds between looks. Polling also sees what a notification misses: the swapped symbolic links of a ConfigMap."""

Content = tuple[tuple[str, bytes], ...]
"""Every file of the policy: its path in the folder, empty for a policy of one file, and what it holds."""


class PolicyFile:
    """`rules` are those in force. `in_force` is where a copy of the documents is kept, for the next start.

    Raises PolicyError where the documents are wrong and no copy tells what was in force before.
    """

    def __init__(self, path: Path, domain: str, in_force: Path | None = None) -> None:
        self._path = path
        self._domain = domain
        self._copy = in_force
        self.error: str | None = None
        """Why the documents as they stand are not in force; None when they are."""
        self.loaded_at = datetime.now(UTC)
        self._seen = _content(path)
        try:
            self._take_up(Rules.read(path, domain))
        except PolicyError as error:
            rules = _copied(in_force, path.name, domain)
            if rules is None:
                raise
            self.rules = rules
            self._refuse(error)

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            await self.look()

    async def look(self) -> None:
        """In a thread, because a thousand documents take longer to read than a call may wait."""
        content = await asyncio.to_thread(_content, self._path)
        if content == self._seen:
            return
        self._seen = content
        try:
            rules = await asyncio.to_thread(Rules.read, self._path, self._domain)
        except PolicyError as error:
            self._refuse(error)
        else:
            self._take_up(rules)
            log.info("took up the policy %s", self._path)

    def _refuse(self, error: PolicyError) -> None:
        self.error = str(error)
        log.error("kept the last good policy: %s", error)

    def _take_up(self, rules: Rules) -> None:
        self.rules = rules
        self.error = None
        self.loaded_at = datetime.now(UTC)
        for warning in rules.warnings:
            log.warning("%s", warning)
        if self._copy and self._seen is not None:
            self._keep_copy(self._copy, self._seen)

    def _keep_copy(self, copy: Path, content: Content) -> None:
        """For this user's eyes alone: the documents may hold virtual keys."""
        beside = copy.with_name(f"{copy.name}.new")
        try:
            shutil.rmtree(beside, ignore_errors=True)
            copy.parent.mkdir(parents=True, exist_ok=True)
            beside.mkdir(mode=0o700)
            for name, text in content:
                file = beside / (name or self._path.name)
                file.parent.mkdir(mode=0o700, exist_ok=True)
                file.touch(mode=0o600)
                file.write_bytes(text)
            if copy.exists():
                shutil.rmtree(copy)
            beside.replace(copy)
        except OSError as error:
            log.error("%s, which BUDGETS_IN_FORCE names, cannot be written: %s", copy, error.strerror)


def _copied(copy: Path | None, name: str, domain: str) -> Rules | None:
    """What was in force before, if that is known. The copy of a policy of one file is a folder with a file of that name."""
    if copy is None or not copy.exists():
        return None
    try:
        file = copy / name
        return Rules.read(file if file.is_file() else copy, domain)
    except PolicyError as error:
        log.error("the copy of the last good policy cannot be used: %s", error)
        return None


def _content(path: Path) -> Content | None:
    """None where it cannot be read: reading the rules says why."""
    try:
        if not path.is_dir():
            return (("", path.read_bytes()),)
        return tuple((os.fspath(file.relative_to(path)), file.read_bytes()) for file in _documents(path))
    except OSError:
        return None


def _documents(folder: Path) -> list[Path]:
    """The files that `budgets.documents.folders` reads."""
    visible = _visible(folder)
    files = [*visible, *(file for each in visible if each.is_dir() for file in _visible(each))]
    return [file for file in files if not file.is_dir() and (file.suffix in SUFFIXES or file.name == CATALOG)]


def _visible(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if not each.name.startswith("."))
