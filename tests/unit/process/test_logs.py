"""Log lines for people and for machines."""

import asyncio
import json
import logging
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import LogFormat
from windmill.core.settings import Settings
from windmill.kernels.text.redaction import redactor
from windmill.process import logs
from windmill.process.logs import MAX_TEXT, JsonFormatter, TextFormatter


def record(message: str, *arguments: object, **extra: object) -> logging.LogRecord:
    made = logging.getLogger("windmill.edge.delivery_processor").makeRecord(
        "windmill.edge.delivery_processor", logging.WARNING, "edge.py", 1, message, arguments, None, extra=extra
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
    assert line == "03:04:05 WARNING windmill.edge.delivery_processor stored 25 rows service=clip ms=3"


def test_a_text_line_is_followed_by_the_stack_trace() -> None:
    lines = TextFormatter().format(with_exception(record("fault", service="clip"))).splitlines()
    assert lines[0].endswith("fault service=clip")
    assert lines[1] == "  Traceback (most recent call last):"
    assert lines[-1] == "  ValueError: broken"


FORGED = "/a\n03:04:05 ERROR windmill forged\r\x1b[2J\x9b\u2028.jpg"


def test_names_neither_forge_a_line_of_the_text_log_nor_control_the_terminal() -> None:
    made = record("cannot read %s", FORGED, image=FORGED)
    try:
        raise ValueError(FORGED)
    except ValueError:
        made.exc_info = sys.exc_info()
    first, *others = TextFormatter().format(made).split("\n")
    assert first.count("ERROR windmill forged") == 2
    assert others
    assert all(line.startswith("  ") for line in others)
    assert all(letter.isprintable() for line in [first, *others] for letter in line)


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_a_line_is_bounded_whatever_it_quotes(formatter: logging.Formatter) -> None:
    long = "x" * 1_000_000
    made = record("bad %s", long, reason=long, listed=[long])
    try:
        raise ValueError(long)
    except ValueError:
        made.exc_info = sys.exc_info()
    assert len(formatter.format(made)) < 100_000


def test_a_secret_at_the_end_of_what_is_shown_is_not_shown_in_part() -> None:
    text = "x" * (MAX_TEXT - 10) + " s3cret-and-more " + "y" * 100
    assert "s3c" not in TextFormatter(redactor(["s3cret-and-more"])).format(record("%s", text))


def test_a_json_line_is_one_object_with_the_extras_as_keys() -> None:
    line = JsonFormatter().format(record("stored %s rows", 25, service="clip", ms=3))
    assert orjson.loads(line) == {
        "time": "2026-01-02T03:04:05.678+00:00",
        "level": "WARNING",
        "logger": "windmill.edge.delivery_processor",
        "message": "stored 25 rows",
        "service": "clip",
        "ms": 3,
    }


def test_a_json_line_stays_one_line_with_an_exception_and_line_ends_in_the_message() -> None:
    line = JsonFormatter().format(with_exception(record("one\ntwo")))
    assert "\n" not in line
    assert orjson.loads(line)["exception"].endswith("ValueError: broken")


def test_values_that_json_lacks_are_written_as_text() -> None:
    line = JsonFormatter().format(record("x", path=object, error=OSError("gone")))
    assert orjson.loads(line)["error"] == "gone"


@pytest.mark.parametrize("value", ["\ud800", 2**70, {1: "x"}, {"a": {"b"}}])
def test_a_json_line_is_written_for_any_reply_of_a_service(value: object) -> None:
    assert json.loads(JsonFormatter().format(record("x", value=value)))["message"] == "x"


FORMATTERS = [TextFormatter, JsonFormatter]
# Nothing that stands in the line anyway.
SECRET = st.text(min_size=8).filter(lambda one: "*" not in one and one not in orjson.dumps(str(FORMATTERS)).decode())


def everywhere(secret: str) -> logging.LogRecord:
    """A record with the secret in every place."""
    made = record(
        "refused %s", secret, reason=f"at {secret}.", nested={secret: [secret, {"x": (secret,)}]}, path=Where(secret)
    )
    try:
        raise ValueError(secret)
    except ValueError as error:
        try:
            raise WindmillError("SERVICE_ERROR", f"for {secret}") from error
        except WindmillError:
            made.exc_info = sys.exc_info()
    return made


class Where:
    """A value that JSON lacks."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return f"<{self._text}>"


@pytest.mark.parametrize("formatter", FORMATTERS)
@given(secret=SECRET)
def test_no_part_of_a_record_shows_a_secret(formatter: type[logging.Formatter], secret: str) -> None:
    line = formatter(redactor([secret])).format(everywhere(secret))  # type: ignore[arg-type]
    assert secret not in line
    assert json.dumps(secret)[1:-1] not in line
    assert orjson.dumps(secret).decode()[1:-1] not in line


class ThoroughText(TextFormatter):
    def is_plain(self, record: logging.LogRecord, text: str) -> bool:
        return False


class ThoroughJson(JsonFormatter):
    def is_plain(self, record: logging.LogRecord, text: str) -> bool:
        return False


WORDS = [
    "GET",
    " ",
    "  ",
    "\n",
    "a=b",
    "= ",
    "@",
    ":",
    "://",
    "u:p@h",
    "token",
    "KEY: ",
    "Bearer ",
    "pa55word",
    "\x9b",
    "\xa0",
    "/a",
]
TOLD = st.lists(st.sampled_from(WORDS), max_size=5).map("".join) | st.text() | st.none() | st.integers() | st.floats()


@pytest.mark.parametrize(("formatter", "thorough"), [(TextFormatter, ThoroughText), (JsonFormatter, ThoroughJson)])
@given(message=TOLD, first=TOLD, second=TOLD | st.lists(TOLD))
def test_a_record_that_looks_plain_is_written_as_if_each_part_had_been_looked_at(
    formatter: type[TextFormatter], thorough: type[TextFormatter], message: object, first: object, second: object
) -> None:
    made, redact = record("%s", message, first=first, second=second), redactor(["pa55word", "T"])
    assert formatter(redact).format(made) == thorough(redact).format(made)


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_values_of_secret_names_are_not_shown(formatter: Callable[[], logging.Formatter]) -> None:
    line = formatter().format(record("x", db_password="a b", api_key=12345, headers={"Authorization": "Basic YTpi"}))
    assert not any(secret in line for secret in ("a b", "12345", "YTpi"))
    assert line.count("***") == 3


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_a_url_in_a_stack_trace_loses_its_password(formatter: Callable[[], logging.Formatter]) -> None:
    made = record("x")
    try:
        raise OSError("no route to amqp://fleet:pa55@mq/")
    except OSError:
        made.exc_info = sys.exc_info()
    line = formatter().format(made)
    assert "amqp://***@mq/" in line
    assert "pa55" not in line


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
def test_the_log_goes_to_standard_error_at_its_level(
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


@pytest.mark.usefixtures("untouched_logging")
def test_the_passwords_of_the_settings_stay_out_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings.from_env({"DB_PASSWORD": "hunter2!", "QUEUE_PASSWORD": "guest"})
    logs.configure("INFO", "text", settings.secrets())
    logging.getLogger("some.module").info("refused hunter2! of guest at localhost")
    assert capsys.readouterr().err.endswith("refused *** of guest at localhost\n"), "guest is known to everyone"


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[str]]]:
    """Reads the lines that the log has written since a test configured it."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield lambda: capsys.readouterr().err.splitlines()
    root.handlers[:] = before
    root.setLevel(level)


async def test_a_line_of_a_part_names_it_also_where_a_task_of_it_writes_it(
    log: Callable[[], list[str]],
) -> None:
    logs.configure("INFO", "text")
    logger = logging.getLogger("windmill.process.heartbeat")

    async def part(name: str) -> None:
        logs.PART.set(name)
        await asyncio.create_task(says())

    async def says() -> None:
        logger.info("beats")

    await asyncio.gather(*(asyncio.create_task(part(name)) for name in ("services", "steps")))
    logger.info("beats")
    assert [line.partition(" beats")[2] for line in log()] == [" part=services", " part=steps", ""]


def test_what_one_part_hides_stays_hidden_when_another_hides_more(
    log: Callable[[], list[str]],
) -> None:
    settings = Settings.from_env({"LOG_FORMAT": "text"})
    logs.hide(settings, ["key-of-clip"])
    logs.hide(settings, ["key-of-face"])
    logging.getLogger("windmill").info("refused key-of-clip and key-of-face")
    (line,) = log()
    assert line.endswith("refused *** and ***")
