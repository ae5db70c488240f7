"""Log lines for people (text) or machines (json): one line per step, stable keys, no secrets."""

import json
import logging
import sys
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import orjson

from windmill.core.setting_parts import LogFormat
from windmill.core.settings import Settings
from windmill.kernels.text.printable import render_printable, shorten
from windmill.kernels.text.redaction import HIDDEN, Redactor, names_secret, redact_document, redactor

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_PLAIN = frozenset({str, int, float, bool, type(None)})

MAX_TEXT, MAX_TRACE = 8_000, 64_000
"""Characters of a message or value, and of a stack trace: a name in them may be as long as a message of the broker."""

PART: ContextVar[str] = ContextVar("part", default="")
"""The part of the process that the current task belongs to, where there are several: each of their lines names it."""

_hidden: set[str] = set()
"""Secrets that became known after the start, to any part of the process."""


def extras(record: logging.LogRecord) -> dict[str, Any]:
    """The keys that the caller passed as `extra=`."""
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


class _Formatter(logging.Formatter):
    """Redacts and bounds all parts of a record: message, extras and stack trace."""

    def __init__(self, redact: Redactor | None = None) -> None:
        super().__init__()
        self._redact = redact or redactor()

    def safe(self, text: str, most: int = MAX_TEXT) -> str:
        """Cut again after the redaction, which must see a secret as a whole."""
        return shorten(self._redact(shorten(text, 2 * most)), most)

    def is_plain(self, record: logging.LogRecord, text: str) -> bool:
        """Whether a record whose message and extras are these says nothing that has to be changed. Most records do not,
        and to look at each of their values costs several times as much."""
        return record.exc_info is None and len(text) <= MAX_TEXT and self._redact.finds_nothing(text)

    def trace(self, record: logging.LogRecord) -> str | None:
        return self.safe(self.formatException(record.exc_info), MAX_TRACE) if record.exc_info else None


class TextFormatter(_Formatter):
    """`12:00:01 INFO workers.generic stored batch rows=25`: one line, whatever the names in it hold. The lines of a
    stack trace are indented, so that none looks like a line of the log."""

    def format(self, record: logging.LogRecord) -> str:
        clock = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        told = as_text(record.getMessage(), extras(record))
        if self.is_plain(record, told) and _is_printed_as_it_is(told):
            return f"{clock} {record.levelname} {record.name} {told}"
        pairs = "".join(f" {key}={self._shown(key, value)}" for key, value in extras(record).items())
        message, trace = render_printable(self.safe(record.getMessage())), self.trace(record) or ""
        end = "".join(f"\n  {_without_controls(line)}" for line in trace.splitlines())
        return f"{clock} {record.levelname} {record.name} {message}{pairs}{end}"

    def _shown(self, key: str, value: object) -> str:
        return HIDDEN if names_secret(key) else render_printable(self.safe(str(value)))


def as_text(message: str, told: Mapping[str, object]) -> str:
    return message + "".join([f" {key}={value}" for key, value in told.items()])


def _is_printed_as_it_is(text: str) -> bool:
    """Whether `render_printable` changes neither the message nor a value: no spaces in a row, or at the end of one."""
    spaced = "  " in text or "= " in text or text[:1] == " " or text[-1:] == " "
    return not spaced and text.isprintable()


def _without_controls(line: str) -> str:
    """One line of a stack trace with its indentation."""
    return " " * (len(line) - len(line.lstrip(" "))) + render_printable(line)


class JsonFormatter(_Formatter):
    """One JSON object for each line; extras become keys of it."""

    def format(self, record: logging.LogRecord) -> str:
        message, told = record.getMessage(), extras(record)
        plain = all(type(value) in _PLAIN for value in told.values()) and self.is_plain(record, as_text(message, told))
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": message if plain else self.safe(message),
        } | (told if plain else redact_document(told, self.safe))
        if trace := self.trace(record):
            line["exception"] = trace
        try:
            return orjson.dumps(line).decode()
        except orjson.JSONEncodeError:
            # orjson rejects lone surrogates and huge integers, which replies may contain.
            return json.dumps(line)


def hide(settings: Settings, secrets: Iterable[str]) -> None:
    """Redact these values, too: keys of services, which are known only once the services are."""
    _hidden.update(secrets)
    configure(settings.log_level, settings.log_format, (*settings.secrets(), *_hidden))


def name_part(record: logging.LogRecord) -> bool:
    """A filter that passes every record, and adds the key `part` to those of a part."""
    if part := PART.get():
        record.part = part
    return True


def configure(level: str, log_format: LogFormat, secrets: Iterable[str] = ()) -> None:
    """Log to standard error, with the secrets redacted."""
    redact = redactor(secrets)
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(name_part)
    handler.setFormatter(JsonFormatter(redact) if log_format == "json" else TextFormatter(redact))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # The AMQP client logs each step of a lost connection at WARNING; Outage logs it once.
    for noisy in ("aio_pika", "aiormq", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.ERROR, logging.getLevelName(level)))
    # And each failed attempt to connect at ERROR.
    logging.getLogger("aiormq.connection").setLevel(logging.CRITICAL)
