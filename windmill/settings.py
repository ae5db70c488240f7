"""Every setting of every process, read from the environment here and nowhere else.

Layers, the first that names a variable wins: the process environment, the file `.env` (or the one that
ENV_FILE names), `var/local/local.env` which `make up` writes for the private servers it started.
"""

import difflib
import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from dotenv.parser import parse_stream

from windmill.errors import ConfigInvalid, Problem

ROOT = Path(__file__).resolve().parent.parent
LOCAL_ENV = ROOT / "var" / "local" / "local.env"

LogFormat = Literal["text", "json"]
SslMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]
QueueType = Literal["quorum", "classic"]


class Unacceptable(ValueError):
    """The value is not allowed; the text says what is."""


def text(value: str) -> str:
    return value


def filled(value: str) -> str:
    if not value.strip():
        raise Unacceptable("must not be empty")
    return value


def within(convert: Callable[[str], float], low: float, high: float, what: str) -> Callable[[str], Any]:
    def parse(value: str) -> float:
        try:
            number = convert(value)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise Unacceptable(f"must be {what} from {low} to {high}")
        return number

    return parse


def integer(low: int, high: int) -> Callable[[str], Any]:
    return within(int, low, high, "a whole number")


def seconds(low: float, high: float) -> Callable[[str], Any]:
    return within(float, low, high, "seconds")


def one_of(*allowed: str) -> Callable[[str], Any]:
    def parse(value: str) -> str:
        if value not in allowed:
            raise Unacceptable(f"must be one of {', '.join(allowed)}")
        return value

    return parse


def switch(value: str) -> bool:
    lowered = value.lower()
    if lowered in {"true", "yes", "on", "1"}:
        return True
    if lowered in {"false", "no", "off", "0"}:
        return False
    raise Unacceptable("must be true or false")


def delays(value: str) -> tuple[float, ...]:
    parse = seconds(0.001, 86_400)
    parts = [part.strip() for part in value.split(",")]
    if not all(parts):
        raise Unacceptable("must be seconds separated by commas, such as 5,10,20")
    return tuple(parse(part) for part in parts)


def names(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def path(value: str) -> Path:
    """A path as the user means it: relative to the checkout, so that every process agrees on it."""
    try:
        return ROOT / Path(filled(value)).expanduser()
    except RuntimeError as error:
        raise Unacceptable("must be a path; there is no such user as its ~ names") from error


def optional_file(value: str) -> Path | None:
    if not value.strip():
        return None
    if not path(value).is_file():
        raise Unacceptable("must name a file that exists, or be empty")
    return path(value)


def setting(default: str, parse: Callable[[str], object], *, secret: bool = False) -> Any:  # noqa: ANN401 - a field of any type
    """Declare a variable: its name is the field's in capitals, `default` is as it would stand in `.env`."""
    return field(metadata={"default": default, "parse": parse}, repr=not secret)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings, parsed and checked. Passwords stay out of the repr."""

    service_name: tuple[str, ...] = setting("", names)
    service_config: Path = setting("service_config.json", path)
    service_host: str = setting("", text)
    service_port_offset: int = setting("0", integer(0, 50_000))

    queue_host: str = setting("localhost", filled)
    queue_port: int = setting("5672", integer(1, 65_535))
    queue_user: str = setting("guest", filled)
    queue_password: str = setting("guest", text, secret=True)
    queue_vhost: str = setting("/", filled)
    queue_tls: bool = setting("false", switch)
    queue_tls_ca: Path | None = setting("", optional_file)
    queue_type: QueueType = setting("quorum", one_of(*get_args(QueueType)))
    queue_prefix: str = setting("queue_", filled)
    queue_management_port: int = setting("15672", integer(1, 65_535))

    db_host: str = setting("localhost", filled)
    db_port: int = setting("5432", integer(1, 65_535))
    db_name: str = setting("windmill", filled)
    db_user: str = setting("windmill", filled)
    db_password: str = setting("", text, secret=True)
    db_sslmode: SslMode = setting("prefer", one_of("disable", "prefer", "require", "verify-ca", "verify-full"))
    db_sslrootcert: Path | None = setting("", optional_file)

    image_root: Path = setting("/", path)
    image_url_allow: tuple[str, ...] = setting("", names)
    max_image_bytes: int = setting("33554432", integer(1_024, 1_073_741_824))
    max_response_bytes: int = setting("4194304", integer(1_024, 268_435_456))

    worker_id: str = setting("", text)
    worker_concurrency: int = setting("0", integer(0, 1_000))
    request_timeout: float = setting("0", seconds(0, 600))
    max_retries: int = setting("3", integer(0, 20))
    retry_delays: tuple[float, ...] = setting("5,10,20", delays)
    batch_rows: int = setting("100", integer(1, 1_000))
    batch_milliseconds: int = setting("10", integer(0, 10_000))
    shutdown_grace_seconds: float = setting("30", seconds(0, 3_600))

    publish_window: int = setting("256", integer(1, 10_000))
    publish_timeout: float = setting("30", seconds(1, 600))

    log_level: str = setting("INFO", one_of("DEBUG", "INFO", "WARNING", "ERROR"))
    log_format: LogFormat = setting("text", one_of(*get_args(LogFormat)))

    @classmethod
    def from_env(cls, environ: Mapping[str, str], found: Iterable[Problem] = ()) -> "Settings":
        """Parse and check all variables; raises ConfigInvalid with every problem, those `found` before included."""
        values: dict[str, Any] = {}
        problems = list(found)
        for name, raw, parse in _declared(environ):
            try:
                values[name.lower()] = parse(raw)
            except Unacceptable as error:
                problems.append(Problem(name, _shown(name, raw), str(error)))
        problems += _disagreements(values)
        if problems:
            raise ConfigInvalid(problems)
        return cls(**values)

    def worker_name(self) -> str:
        """WORKER_ID, or host and process: unique among the processes that run now."""
        return self.worker_id or f"{socket.gethostname()}-{os.getpid()}"


def _declared(environ: Mapping[str, str]) -> list[tuple[str, str, Callable[[str], Any]]]:
    return [
        (name, environ.get(name, declared.metadata["default"]), declared.metadata["parse"])
        for declared in fields(Settings)
        for name in [declared.name.upper()]
    ]


def _shown(name: str, raw: str) -> str:
    return "***" if name in secret_names() else raw


def _disagreements(values: Mapping[str, Any]) -> list[Problem]:
    """Rules between settings; each looks only at values that were parsed."""
    rules = [
        (
            values.get("queue_tls_ca") and values.get("queue_tls") is False,
            Problem("QUEUE_TLS_CA", str(values.get("queue_tls_ca")), "is only used with QUEUE_TLS=true"),
        ),
        (
            values.get("db_sslmode") in {"verify-ca", "verify-full"} and not values.get("db_sslrootcert", True),
            Problem("DB_SSLROOTCERT", "", f"must name a file with DB_SSLMODE={values.get('db_sslmode')}"),
        ),
    ]
    return [problem for broken, problem in rules if broken]


def secret_names() -> frozenset[str]:
    """The variables whose values never appear in a log, a repr or an error."""
    return frozenset(declared.name.upper() for declared in fields(Settings) if not declared.repr)


def defaults() -> dict[str, str]:
    """Every variable with its default as it would stand in `.env`."""
    return {declared.name.upper(): declared.metadata["default"] for declared in fields(Settings)}


def environment(local: Path = LOCAL_ENV) -> dict[str, str]:
    """The variables of all layers, merged; what the user names himself hides what `make up` found."""
    named = named_by_user()
    found = {name: value for name, value in _read(local).items() if not _hidden(name, named)}
    return found | named


def named_by_user() -> dict[str, str]:
    """The variables of the process environment and of `.env`."""
    return _read(_env_file()) | dict(os.environ)


def load_settings() -> Settings:
    """The settings of this process."""
    return Settings.from_env(environment(), misspelt(_read(_env_file())))


def misspelt(names: Iterable[str]) -> Sequence[Problem]:
    """Names in `.env` that are nearly those of a setting, which would keep its default in silence. Other names may
    stand there for other programs. Their values are not shown: one may be a password."""
    known = defaults()
    nearest = {name: difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.75) for name in names}
    return [
        Problem(name, "***", f"is not a setting; did you mean {match[0]}?")
        for name, match in nearest.items()
        if match and name not in known
    ]


def _env_file() -> Path:
    env_file = Path(os.environ.get("ENV_FILE", ROOT / ".env"))
    if "ENV_FILE" in os.environ and not env_file.is_file():
        raise ConfigInvalid([Problem("ENV_FILE", str(env_file), "must name a file that can be read")])
    return env_file


def _read(env_file: Path) -> dict[str, str]:
    """The variables of a file as they stand there: a `$` in a password is a `$`."""
    try:
        with env_file.open(encoding="utf-8") as lines:
            bindings = list(parse_stream(lines))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigInvalid([Problem("ENV_FILE", str(env_file), f"cannot be read: {error}")]) from error
    problems = [_unreadable(env_file, binding.original.line) for binding in bindings if binding.error]
    if problems:
        raise ConfigInvalid(problems)
    return {binding.key: binding.value for binding in bindings if binding.key and binding.value is not None}


def _unreadable(env_file: Path, line: int) -> Problem:
    """The line itself is not shown: it may hold a password."""
    return Problem(f"{env_file}, line {line}", "***", "must be NAME=value, a comment or empty")


def _hidden(name: str, named: Mapping[str, str]) -> bool:
    """A server that the user names takes none of its coordinates from the private one."""
    server = name.partition("_")[0] + "_HOST"
    return server in {"QUEUE_HOST", "DB_HOST"} and server in named
