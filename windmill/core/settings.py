"""Every setting of every process, read from the environment here and nowhere else.

Layers, the first that sets a variable wins: the process environment, the file `.env` (or the one that
ENV_FILE names), `var/local/local.env` which `make up` writes for the private servers that it starts.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream

from windmill.core.errors import ConfigInvalid, Problem
from windmill.core.foreign_settings import meaning_of, translated
from windmill.core.paths import CHECKOUT
from windmill.core.setting_parsers import InvalidValue, PathParser
from windmill.core.setting_parts import (
    AudioSettings,
    BrokerSettings,
    CallSettings,
    ClientSettings,
    DerivationSettings,
    EngineSettings,
    FleetSettings,
    GatewaySettings,
    ImageSettings,
    JobSettings,
    PresetSettings,
    ProcessSettings,
    TalkSettings,
    VideoSettings,
    WebhookSettings,
    WriteSettings,
)
from windmill.kernels.net.store_urls import dav_hosts
from windmill.kernels.text.near_names import did_you_mean
from windmill.kernels.text.redaction import HIDDEN, redactor


def home(environ: Mapping[str, str]) -> Path:
    """The folder of `.env`, from which relative paths start: WINDMILL_HOME, else the checkout that this code runs from,
    else the working directory."""
    named = environ.get("WINDMILL_HOME", "")
    return Path(named).expanduser().absolute() if named else CHECKOUT or Path.cwd()


ROOT = home(os.environ)
LOCAL_ENV = ROOT / "var" / "local" / "local.env"


@dataclass(frozen=True, kw_only=True)
class Settings(
    ProcessSettings,
    ClientSettings,
    GatewaySettings,
    JobSettings,
    DerivationSettings,
    WebhookSettings,
    TalkSettings,
    WriteSettings,
    CallSettings,
    PresetSettings,
    ImageSettings,
    AudioSettings,
    VideoSettings,
    BrokerSettings,
    EngineSettings,
    FleetSettings,
):
    """All settings, parsed and validated. The repr hides passwords."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str], found: Iterable[Problem] = ()) -> "Settings":
        """Parse and validate all variables; raises ConfigInvalid with every problem, including those in `found`."""
        values: dict[str, Any] = {}
        problems = list(found)
        for name, raw, parse in _declared(environ):
            try:
                values[name.lower()] = parse(raw)
            except InvalidValue as error:
                problems.append(Problem(name, _shown(name, raw), redactor()(str(error))))
        problems += _conflicts(values)
        if problems:
            raise ConfigInvalid(problems)
        return cls(**values)

    def secrets(self) -> tuple[str, ...]:
        """The values that never appear in a log; the public defaults are not secret."""
        known = defaults()
        values = {name: getattr(self, name.lower()) for name in secret_names()}
        return tuple(value for name, value in values.items() if value and value != known[name])


def _declared(environ: Mapping[str, str]) -> list[tuple[str, str, Callable[[str], Any]]]:
    return [
        (name, _raw(name, declared.metadata, environ), _parser(declared.metadata["parse"], environ))
        for declared in fields(Settings)
        for name in [declared.name.upper()]
    ]


def _raw(name: str, metadata: Mapping[str, str], environ: Mapping[str, str]) -> str:
    return environ.get(name, environ.get(metadata["fallback"], metadata["default"]))


def _parser(kind: Callable[[str], Any] | PathParser, environ: Mapping[str, str]) -> Callable[[str], Any]:
    if not isinstance(kind, PathParser):
        return kind
    folder, read = home(environ), kind.read
    return lambda raw: read(raw, folder)


def _shown(name: str, raw: str) -> str:
    """The value as an error tells it. People put whole URLs where a host is expected, with user and password."""
    if name in secret_names():
        return HIDDEN
    _, at, place = redactor()(raw).rpartition("@")
    return f"{HIDDEN}@{place}" if at else place


def _conflicts(values: Mapping[str, Any]) -> list[Problem]:
    """Rules that involve several settings; each skips values that failed to parse."""
    allowed = values.get("image_store_allow", ())
    servers = dav_hosts(allowed)
    rules = [
        (
            values.get("queue_tls_ca") and values.get("queue_tls") is False,
            Problem("QUEUE_TLS_CA", str(values.get("queue_tls_ca")), "is only used with QUEUE_TLS=true"),
        ),
        (
            bool(values.get("aws_access_key_id")) != bool(values.get("aws_secret_access_key")),
            Problem("AWS_ACCESS_KEY_ID", str(values.get("aws_access_key_id")), "goes with AWS_SECRET_ACCESS_KEY only"),
        ),
        (
            bool(values.get("webdav_user")) != bool(values.get("webdav_password")),
            Problem("WEBDAV_USER", str(values.get("webdav_user")), "goes with WEBDAV_PASSWORD only"),
        ),
        (
            # One server must not be given the password of another.
            values.get("webdav_password") and len(servers) > 1,
            Problem("WEBDAV_USER", str(values.get("webdav_user")), f"is for one server, not {' and '.join(servers)}"),
        ),
        (
            any(place.startswith("az://") for place in allowed) and not values.get("azure_storage_account_name", True),
            Problem("IMAGE_STORE_ALLOW", ",".join(allowed), "needs AZURE_STORAGE_ACCOUNT_NAME with az://"),
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
    """Every variable with its default, as written in `.env`."""
    return {declared.name.upper(): declared.metadata["default"] for declared in fields(Settings)}


def environment(local: Path = LOCAL_ENV) -> dict[str, str]:
    """The variables of all layers, merged; a server that the user sets hides the private one."""
    named = named_by_user()
    found = {name: value for name, value in _read(local).items() if not _hidden(name, named)}
    return found | named


def named_by_user() -> dict[str, str]:
    """The variables of the process environment and of `.env`, with ours that those of other systems make."""
    named = _read(_env_file()) | dict(os.environ)
    return named | translated(named)


@dataclass(frozen=True)
class Supervisor:
    """The systemd notification socket, and the watchdog interval if there is one."""

    socket: str
    watchdog_seconds: float | None


def supervisor(environ: Mapping[str, str] = os.environ) -> Supervisor | None:
    """None when the process does not run under systemd's notify protocol."""
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
    """Names in `.env` that look like a typo of a setting, which would silently keep its default. Other names may belong
    to other programs. Their values are hidden, because one may be a password."""
    known = {*defaults(), *(declared.metadata["fallback"] for declared in fields(Settings))}
    hints = {name: did_you_mean(name.upper(), known, alike=0.75).rstrip() for name in names}
    return [
        Problem(name, "***", f"is not a setting; {hint}")
        for name, hint in hints.items()
        if hint and name not in known and meaning_of(name) is None
    ]


def _env_file() -> Path:
    env_file = Path(os.environ.get("ENV_FILE", ROOT / ".env"))
    if "ENV_FILE" in os.environ and not env_file.is_file():
        raise ConfigInvalid([Problem("ENV_FILE", str(env_file), "must name a file that can be read")])
    return env_file


def _read(env_file: Path) -> dict[str, str]:
    """The variables of a file, without interpolation: a `$` in a password is a `$`."""
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
    """The line itself is hidden, because it may hold a password."""
    return Problem(f"{env_file}, line {line}", "***", "must be NAME=value, a comment or empty")


def _hidden(name: str, named: Mapping[str, str]) -> bool:
    """A server that the user sets takes no variable from the private one."""
    server = name.partition("_")[0] + "_HOST"
    return server in {"QUEUE_HOST", "DB_HOST"} and server in named
