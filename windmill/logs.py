"""Log lines for people (text) or machines (json): one line per step, stable keys, no secrets."""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson

from windmill.settings import LogFormat

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def extras(record: logging.LogRecord) -> dict[str, Any]:
    """What the caller handed in as `extra=`."""
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


class TextFormatter(logging.Formatter):
    """`12:00:01 INFO workers.generic stored batch rows=25`."""

    def format(self, record: logging.LogRecord) -> str:
        clock = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        pairs = "".join(f" {key}={value}" for key, value in extras(record).items())
        trace = "\n" + self.formatException(record.exc_info) if record.exc_info else ""
        return f"{clock} {record.levelname} {record.name} {record.getMessage()}{pairs}{trace}"


class JsonFormatter(logging.Formatter):
    """One JSON object a line, the caller's extras as keys of their own."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        } | extras(record)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def configure(level: str, log_format: LogFormat) -> None:
    """Send this process's log to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # The AMQP client reports at WARNING each step of a lost connection, which the supervisor reports once.
    for noisy in ("aio_pika", "aiormq", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.ERROR, logging.getLevelName(level)))
    # And this one each vain try to connect, at ERROR.
    logging.getLogger("aiormq.connection").setLevel(logging.CRITICAL)
