"""Log lines for people and for machines."""

import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import orjson
import pytest

from windmill import logs
from windmill.logs import JsonFormatter, TextFormatter
from windmill.settings import LogFormat


def record(message: str, *arguments: object, **extra: object) -> logging.LogRecord:
    made = logging.getLogger("workers.edge").makeRecord(
        "workers.edge", logging.WARNING, "edge.py", 1, message, arguments, None, extra=extra
    )
    made.created = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC).timestamp()
    return made


def with_exception(made: logging.LogRecord) -> logging.LogRecord:
    try:
        raise ValueError("broken")
    except ValueError:
        made.exc_info = sys.exc_info()
    return made


def test_a_text_line_has_time_level_logger_message_and_pairs() -> None:
    line = TextFormatter().format(record("stored %s rows", 25, service="clip", ms=3))
    assert line == "03:04:05 WARNING workers.edge stored 25 rows service=clip ms=3"


def test_a_text_line_is_followed_by_the_stack_trace() -> None:
    lines = TextFormatter().format(with_exception(record("fault", service="clip"))).splitlines()
    assert lines[0].endswith("fault service=clip")
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-1] == "ValueError: broken"


def test_a_json_line_is_one_object_with_the_extras_as_keys() -> None:
    line = JsonFormatter().format(record("stored %s rows", 25, service="clip", ms=3))
    assert orjson.loads(line) == {
        "time": "2026-01-02T03:04:05.678+00:00",
        "level": "WARNING",
        "logger": "workers.edge",
        "message": "stored 25 rows",
        "service": "clip",
        "ms": 3,
    }


def test_a_json_line_stays_one_line_with_an_exception_and_line_ends_in_the_message() -> None:
    line = JsonFormatter().format(with_exception(record("one\ntwo")))
    assert "\n" not in line
    assert orjson.loads(line)["exception"].endswith("ValueError: broken")


def test_values_that_are_no_json_are_written_as_their_text() -> None:
    line = JsonFormatter().format(record("x", path=object, error=OSError("gone")))
    assert orjson.loads(line)["error"] == "gone"


@pytest.fixture
def untouched_logging() -> Iterator[None]:
    """The log of the test run itself, as it was."""
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    noisy = {name: logging.getLogger(name).level for name in ("aio_pika", "aiormq", "aiormq.connection", "asyncio")}
    root.handlers = []
    yield
    root.handlers = kept
    root.setLevel(level)
    for name, before in noisy.items():
        logging.getLogger(name).setLevel(before)


@pytest.mark.parametrize(("log_format", "start"), [("text", None), ("json", "{")])
@pytest.mark.usefixtures("untouched_logging")
def test_the_log_goes_to_standard_error_from_the_level_on(
    log_format: LogFormat, start: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("INFO", log_format)
    logging.getLogger("some.module").info("heard")
    logging.getLogger("some.module").debug("not heard")
    logging.getLogger("aio_pika").warning("a step of the client")
    said = capsys.readouterr()
    assert said.out == ""
    assert "heard" in said.err
    assert len(said.err.splitlines()) == 1
    assert start is None or said.err.startswith(start)
