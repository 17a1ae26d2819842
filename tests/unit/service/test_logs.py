import json
import logging
import re
import time
from collections.abc import Iterator

import pytest

from service.logs import configure_logging

log = logging.getLogger("tests.logs")


@pytest.fixture(autouse=True)
def logging_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("LOG_FORMAT", raising=False)
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    chatty = {name: logging.getLogger(name).level for name in ("httpx", "httpcore", "a2a", "uvicorn")}
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    for name, level in chatty.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def in_another_time_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(seconds: int, message: str) -> logging.LogRecord:
    record = logging.LogRecord("tests.logs", logging.INFO, "here.py", 1, message, None, None)
    record.created = seconds
    return record


def objects(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_is_for_a_person_to_read_and_its_time_is_utc(
    in_another_time_zone: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging()
    log.handle(at(1_700_000_000, "hello"))
    assert capsys.readouterr() == ("", "2023-11-14T22:13:20Z INFO tests.logs: hello\n")


def test_a_line_is_an_object_where_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, in_another_time_zone: None, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOG_FORMAT", "json")
    configure_logging()
    log.handle(at(1_700_000_000, "hello"))
    assert objects(capsys.readouterr().err) == [
        {"time": "2023-11-14T22:13:20Z", "level": "INFO", "logger": "tests.logs", "message": "hello"}
    ]


def test_what_a_call_says_more_is_a_member_of_the_object(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOG_FORMAT", "json")
    configure_logging()
    log.warning("%d cups\nof %s", 2, "thé", extra={"client": "ci", "wait": 1.5, "odd": {1}, "level": "mine"})
    (said,) = objects(capsys.readouterr().err)
    assert said.pop("time")
    assert said == {
        "level": "WARNING",
        "logger": "tests.logs",
        "message": "2 cups\nof thé",
        "client": "ci",
        "wait": 1.5,
        "odd": "{1}",
    }


def test_an_exception_is_in_the_object(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LOG_FORMAT", "json")
    configure_logging()
    try:
        raise ValueError("odd")
    except ValueError:
        log.exception("it failed")
    log.info("and went on")
    failed, went_on = objects(capsys.readouterr().err)
    assert re.fullmatch(r"Traceback .*\n(.*\n)+ValueError: odd", str(failed["exception"]))
    assert "exception" not in went_on


def test_an_exception_is_below_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    try:
        raise ValueError("odd")
    except ValueError:
        log.exception("it failed")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("ERROR tests.logs: it failed")
    assert lines[-1] == "ValueError: odd"


def test_a_format_that_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_FORMAT", "xml")
    with pytest.raises(SystemExit, match=r"LOG_FORMAT is wrong: .*'text' or 'json'.* It is how a program writes its log"):
        configure_logging()


def test_what_is_below_the_level_is_not_said(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("WARNING")
    log.info("quiet")
    log.warning("loud")
    configure_logging()
    log.debug("quiet")
    log.info("loud")
    assert [line.rsplit(" ", 1)[1] for line in capsys.readouterr().err.splitlines()] == ["loud", "loud"]


@pytest.mark.parametrize("name", ["httpx", "httpcore.http11", "a2a.server", "uvicorn.error"])
def test_libraries_say_only_what_went_wrong(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    logging.getLogger(name).info("chatter")
    logging.getLogger(name).warning("trouble")
    assert [line.rsplit(" ", 1)[1] for line in capsys.readouterr().err.splitlines()] == ["trouble"]


def test_each_line_is_said_once_however_often_it_is_configured(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    configure_logging()
    log.info("hello")
    assert len(capsys.readouterr().err.splitlines()) == 1
