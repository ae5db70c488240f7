"""Variables of systems that people come from (docs/coming-from.md): those that have a meaning here are translated, and
of the others it is told that they have none."""

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from windmill.core.errors import ConfigInvalid, Problem

FOREIGN: Mapping[str, str] = {
    "RABBITMQ_URL": "sets QUEUE_HOST, QUEUE_PORT, QUEUE_USER, QUEUE_PASSWORD, QUEUE_VHOST and QUEUE_TLS",
    "MINIO_ENDPOINT": "sets AWS_ENDPOINT_URL",
    "MINIO_PORT": "sets AWS_ENDPOINT_URL",
    "MINIO_USE_SSL": "sets AWS_ENDPOINT_URL",
    "MINIO_ACCESS_KEY": "sets AWS_ACCESS_KEY_ID",
    "MINIO_SECRET_KEY": "sets AWS_SECRET_ACCESS_KEY",
    "MINIO_BUCKET": "sets ARTIFACTS_URL",
    "DATABASE_FILE": "has no use here: jobs are in PostgreSQL, DB_HOST and DB_NAME",
    "MONGO_*": "has no use here: jobs are in PostgreSQL, DB_HOST and DB_NAME",
    "REDIS_URL": "has no use here: what waits is in RabbitMQ, QUEUE_HOST",
    "SUPABASE_*": "has no use here: files are where ARTIFACTS_URL says, rows in PostgreSQL",
}
"""A name that ends with * stands for all that begin so."""
_URL_FORM = "must be amqp://user:password@host:port/vhost, or amqps:// with TLS"
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")


class ForeignNote(NamedTuple):
    """What a variable of another system comes to here."""

    name: str
    said: str
    useful: bool


def meaning_of(name: str) -> str | None:
    """What a variable of another system means here; None for any other."""
    for known, said in FOREIGN.items():
        if name == known or (known.endswith("*") and name.startswith(known[:-1])):
            return said
    return None


def translated(named: Mapping[str, str]) -> dict[str, str]:
    """Our settings that these variables make; one of ours that is set wins, with all that belongs to it. Raises
    ConfigInvalid."""
    found: dict[str, str] = {}
    if named.get("RABBITMQ_URL") and not named.get("QUEUE_HOST"):
        found |= _queue(named["RABBITMQ_URL"])
    if named.get("MINIO_ENDPOINT") and not _has_a_store(named):
        found |= _store(named)
    return {name: value for name, value in found.items() if name not in named}


def notes(environ: Mapping[str, str]) -> list[ForeignNote]:
    """What each variable of another system comes to, beside ours as they are in the end."""
    foreign = {name: value for name, value in environ.items() if meaning_of(name)}
    made = {name for name, value in translated(foreign).items() if environ.get(name) == value}
    return [_note(name, meaning_of(name) or "", made) for name in sorted(foreign)]


def _note(name: str, said: str, made: Collection[str]) -> ForeignNote:
    ours = re.findall(r"[A-Z]{2,}[A-Z_]*", said)
    if not said.startswith("sets ") or any(one in made for one in ours):
        return ForeignNote(name, said, useful=said.startswith("sets "))
    return ForeignNote(name, f"has no use: {' or '.join(ours)} is set, or what goes with it is not", useful=False)


def _has_a_store(named: Mapping[str, str]) -> bool:
    return any(named.get(name) for name in ("ARTIFACTS_URL", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID"))


def _queue(url: str) -> dict[str, str]:
    """The URL itself is never shown, as there is a password in it."""
    parts = _split("RABBITMQ_URL", url, ("amqp", "amqps"))
    tls = parts.scheme == "amqps"
    found = {
        "QUEUE_HOST": parts.hostname,
        "QUEUE_PORT": str(parts.port or (5671 if tls else 5672)),
        "QUEUE_USER": unquote(parts.username or ""),
        "QUEUE_PASSWORD": unquote(parts.password or ""),
        "QUEUE_VHOST": unquote(parts.path.removeprefix("/")) or "/",
        "QUEUE_TLS": "true" if tls else "",
    }
    return {name: value for name, value in found.items() if value}


def _split(name: str, url: str, schemes: tuple[str, ...]) -> SplitResult:
    try:
        parts = urlsplit(url)
        right = parts.scheme in schemes and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        right = False
    if not right:
        raise ConfigInvalid([Problem(name, "***", _URL_FORM)])
    return parts


def _store(named: Mapping[str, str]) -> dict[str, str]:
    if not named.get("MINIO_BUCKET"):
        raise ConfigInvalid([Problem("MINIO_BUCKET", "", "must name the bucket with MINIO_ENDPOINT")])
    found = {
        "ARTIFACTS_URL": f"s3://{named['MINIO_BUCKET']}",
        "AWS_ENDPOINT_URL": _endpoint(named),
        "AWS_ACCESS_KEY_ID": named.get("MINIO_ACCESS_KEY", ""),
        "AWS_SECRET_ACCESS_KEY": named.get("MINIO_SECRET_KEY", ""),
    }
    return {name: value for name, value in found.items() if value}


def _endpoint(named: Mapping[str, str]) -> str:
    """A host with or without a port, or a whole URL. Kubernetes gives each program a MINIO_PORT that is a URL."""
    endpoint = named["MINIO_ENDPOINT"].rstrip("/")
    if "://" in endpoint:
        return endpoint
    port = named.get("MINIO_PORT", "")
    port = "9000" if not port or "://" in port else port
    host, colon, own = endpoint.rpartition(":")
    if colon and own.isdigit():
        endpoint, port = host, own
    if not _HOST.fullmatch(endpoint) or not port.isdigit():
        said = "must be a host such as minio.example, with MINIO_PORT beside it, or a URL"
        raise ConfigInvalid([Problem("MINIO_ENDPOINT", f"{endpoint}:{port}", said)])
    scheme = "https" if named.get("MINIO_USE_SSL", "").lower() in ("true", "1", "yes", "on") else "http"
    return f"{scheme}://{endpoint}:{port}"
