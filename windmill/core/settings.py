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

from windmill.core.errors import ConfigInvalid, Problem
from windmill.core.paths import CHECKOUT
from windmill.core.setting_values import Concurrency as Concurrency
from windmill.core.setting_values import (
    Located,
    Unacceptable,
    calls_at_a_time,
    delays,
    filled,
    hosts,
    integer,
    names,
    one_of,
    optional_file,
    own_or_shipped,
    path,
    seconds,
    servers,
    switch,
    text,
)
from windmill.kernels.text.addresses import Address, addresses


def home(environ: Mapping[str, str]) -> Path:
    """The folder that relative paths start from, and where `.env` is: WINDMILL_HOME, else the checkout that this code
    runs from, else the working directory."""
    named = environ.get("WINDMILL_HOME", "")
    return Path(named).expanduser().absolute() if named else CHECKOUT or Path.cwd()


ROOT = home(os.environ)
LOCAL_ENV = ROOT / "var" / "local" / "local.env"

LogFormat = Literal["text", "json"]
SslMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]
QueueType = Literal["quorum", "classic"]
SessionAttributes = Literal["", "any", "primary", "read-write"]


def setting(default: str, parse: Callable[[str], object] | Located, *, secret: bool = False) -> Any:  # noqa: ANN401 - a field of any type
    """Declare a variable: its name is the field's in capitals, `default` is as it would stand in `.env`."""
    return field(metadata={"default": default, "parse": parse}, repr=not secret)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings, parsed and checked. Passwords stay out of the repr."""

    service_name: tuple[str, ...] = setting("", names)
    service_config: Path = setting("service_config.json", own_or_shipped)
    service_host: str = setting("", text)
    service_port_offset: int = setting("0", integer(0, 50_000))

    queue_host: str = setting("localhost", servers)
    queue_port: int = setting("5672", integer(1, 65_535))
    queue_user: str = setting("guest", filled)
    queue_password: str = setting("guest", text, secret=True)
    queue_vhost: str = setting("/", filled)
    queue_tls: bool = setting("false", switch)
    queue_tls_ca: Path | None = setting("", optional_file)
    queue_type: QueueType = setting("quorum", one_of(*get_args(QueueType)))
    queue_prefix: str = setting("queue_", filled)
    queue_management_port: int = setting("15672", integer(1, 65_535))

    db_host: str = setting("localhost", servers)
    db_port: int = setting("5432", integer(1, 65_535))
    db_name: str = setting("windmill", filled)
    db_user: str = setting("windmill", filled)
    db_password: str = setting("", text, secret=True)
    db_sslmode: SslMode = setting("prefer", one_of("disable", "prefer", "require", "verify-ca", "verify-full"))
    db_sslrootcert: Path | None = setting("", optional_file)
    db_target_session_attrs: SessionAttributes = setting("", one_of(*get_args(SessionAttributes)))

    image_root: Path = setting("/", path)
    image_url_allow: tuple[str, ...] = setting("", hosts)
    max_image_bytes: int = setting("33554432", integer(1_024, 1_073_741_824))
    max_image_pixels: int = setting("178956970", integer(1_024, 10_000_000_000))
    max_response_bytes: int = setting("4194304", integer(1_024, 268_435_456))

    worker_id: str = setting("", text)
    worker_concurrency: Concurrency = setting("0", calls_at_a_time)
    request_timeout: float = setting("0", seconds(0, 600))
    max_retries: int = setting("3", integer(0, 20))
    retry_delays: tuple[float, ...] = setting("5,10,20", delays)
    delivery_limit: int = setting("20", integer(1, 1_000))
    batch_rows: int = setting("100", integer(1, 1_000))
    batch_milliseconds: int = setting("10", integer(0, 10_000))
    shutdown_grace_seconds: float = setting("30", seconds(0, 3_600))

    calibration: Path = setting("calibration.json", own_or_shipped)
    debounce_milliseconds: int = setting("200", integer(0, 60_000))
    debounce_most_seconds: float = setting("10", seconds(0, 86_400))
    poll_milliseconds: int = setting("50", integer(1, 60_000))
    postprocess_images: int = setting("50", integer(1, 1_000))
    enrich_images: int = setting("4", integer(1, 100))
    lease_seconds: float = setting("60", seconds(1, 3_600))

    publish_window: int = setting("256", integer(1, 10_000))
    publish_timeout: float = setting("30", seconds(1, 600))

    log_level: str = setting("INFO", one_of("DEBUG", "INFO", "WARNING", "ERROR"))
    log_format: LogFormat = setting("text", one_of(*get_args(LogFormat)))

    metrics_port: int = setting("0", integer(0, 65_535))
    metrics_host: str = setting("0.0.0.0", filled)  # noqa: S104 - whoever wants metrics asks from another machine

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

    def queue_servers(self) -> tuple[Address, ...]:
        """The nodes of the broker, any of which will do."""
        return addresses(self.queue_host, self.queue_port)

    def db_servers(self) -> tuple[Address, ...]:
        """The database and its standbys."""
        return addresses(self.db_host, self.db_port)

    def db_session_attributes(self) -> SessionAttributes:
        """What a server has to be before a connection to it is used."""
        return self.db_target_session_attrs or ("read-write" if len(self.db_servers()) > 1 else "any")

    def secrets(self) -> tuple[str, ...]:
        """The values that never appear in a log; a default that everyone can read here is none."""
        known = defaults()
        values = {name: getattr(self, name.lower()) for name in secret_names()}
        return tuple(value for name, value in values.items() if value and value != known[name])

    def worker_name(self) -> str:
        """WORKER_ID, or host and process: unique among the processes that run now."""
        return self.worker_id or f"{socket.gethostname()}-{os.getpid()}"


def _declared(environ: Mapping[str, str]) -> list[tuple[str, str, Callable[[str], Any]]]:
    return [
        (name, environ.get(name, declared.metadata["default"]), _parser(declared.metadata["parse"], environ))
        for declared in fields(Settings)
        for name in [declared.name.upper()]
    ]


def _parser(kind: Callable[[str], Any] | Located, environ: Mapping[str, str]) -> Callable[[str], Any]:
    if not isinstance(kind, Located):
        return kind
    folder, read = home(environ), kind.read
    return lambda raw: read(raw, folder)


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


@dataclass(frozen=True)
class Supervisor:
    """What systemd tells a service of its own: where to report, and how often it wants a sign of life."""

    socket: str
    watchdog_seconds: float | None


def supervisor(environ: Mapping[str, str] = os.environ) -> Supervisor | None:
    """None when nobody waits for reports."""
    socket_name = environ.get("NOTIFY_SOCKET")
    if not socket_name:
        return None
    microseconds = environ.get("WATCHDOG_USEC", "")
    mine = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    watchdog = int(microseconds) / 1_000_000 if mine and microseconds.isdigit() and int(microseconds) else None
    return Supervisor(socket_name, watchdog)


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
