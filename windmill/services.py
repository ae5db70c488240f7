"""The fleet as data: what service_config.json says of each service, checked whole.

A service is one JSON entry; it joins the set `all`, the set of its category and the sets that it names.
"""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeGuard, get_args

from kernels.regions import Enriches
from windmill.errors import ConfigInvalid, Problem, WindmillError
from windmill.settings import Concurrency

Category = Literal["primary", "spatial_only"]
Transport = Literal["upload", "url"]
Stage = Literal["merge", "enrich", "consensus"]

BUILT_IN_SETS = {
    "all": "every service",
    "primary": "services that look at whole images",
    "spatial_only": "services made for crops of people",
}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True)
class Service:
    """One HTTP service: where it is, how it is called and what its answers feed."""

    name: str
    port: int
    path: str
    category: Category
    transport: Transport
    concurrency: Concurrency
    timeout_seconds: float
    max_upload_bytes: int
    sets: tuple[str, ...]
    feeds: tuple[Stage, ...]
    host: str = "localhost"
    answers_as: tuple[str, ...] = ()
    """What it may call itself in its replies, besides its name."""
    foreign: frozenset[str] = frozenset()
    """By what the other services of the fleet call themselves; the fleet fills it in."""
    enriches: Enriches | None = None
    """Which merged boxes it is shown, each as a crop; None for a service that sees whole images only."""

    def url(self, host: str = "", port_offset: int = 0) -> str:
        """The address to call; a non-empty `host` (SERVICE_HOST) overrides the service's own."""
        return f"http://{host or self.host}:{self.port + port_offset}{self.path}"


@dataclass(frozen=True)
class Fleet:
    """All services in file order, and the named sets with a line about each."""

    services: dict[str, Service]
    set_notes: dict[str, str]

    @property
    def sets(self) -> dict[str, list[str]]:
        """The members of every named set, in file order."""
        return {name: [s.name for s in self.services.values() if _belongs(s, name)] for name in self.set_notes}

    def select(self, wanted: str | Iterable[str]) -> list[Service]:
        """The services that a comma list of services and sets means, each once, in file order."""
        parts = wanted.split(",") if isinstance(wanted, str) else list(wanted)
        names = {name for part in parts if part.strip() for name in self._members(part.strip())}
        if not names:
            raise _unknown("", self)
        return [service for service in self.services.values() if service.name in names]

    def _members(self, name: str) -> list[str]:
        if name in self.services:
            return [name]
        if name in self.set_notes:
            return self.sets[name]
        raise _unknown(name, self)


def _belongs(service: Service, set_name: str) -> bool:
    return set_name in ("all", service.category, *service.sets)


def _unknown(name: str, fleet: Fleet) -> WindmillError:
    known = [*fleet.services, *fleet.set_notes]
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    said = f"unknown service or set {name!r}" if name else "no service named"
    return WindmillError("NOT_FOUND" if name else "USAGE", said, f"{hint}known: {', '.join(known)}")


def load_fleet(path: Path) -> Fleet:
    """Read and check a service_config.json; raises ConfigInvalid with every problem found."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_without_repeats)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigInvalid([Problem("SERVICE_CONFIG", str(path), f"cannot be read: {error}")]) from error
    except ValueError as error:
        raise ConfigInvalid([Problem("SERVICE_CONFIG", str(path), f"is not valid JSON: {error}")]) from error
    return parse_fleet(document, path.name)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object in which each key stands once: the second of two would silently win."""
    seen = dict(pairs)
    if len(seen) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} stands twice")
    return seen


def parse_fleet(document: object, source: str = "service_config.json") -> Fleet:
    """The fleet that a parsed JSON document describes."""
    problems: list[Problem] = []
    if not isinstance(document, dict) or not isinstance(document.get("services"), dict):
        raise ConfigInvalid([Problem(source, "", 'must be an object with a "services" object')])
    for key in document.keys() - {"sets", "defaults", "services"}:
        problems.append(Problem(f"{source}: {key}", "", "is not a known key; known: sets, defaults, services"))
    notes = BUILT_IN_SETS | _object(document, "sets", source, problems)
    shared = _object(document, "defaults", source, problems)
    services = {}
    for name, entry in document["services"].items():
        where = f"{source}: {name}"
        found = _entry_problems(where, name, entry, shared, notes)
        problems += found
        if not found:
            services[name] = _service(name, shared | entry)
    problems += _clashes(source, services)
    if problems:
        raise ConfigInvalid(problems)
    return Fleet(_acquainted(services), notes)


def _object(document: Mapping[str, Any], key: str, source: str, problems: list[Problem]) -> dict[str, Any]:
    value = document.get(key, {})
    if isinstance(value, dict):
        return value
    problems.append(Problem(f"{source}: {key}", str(value), "must be an object"))
    return {}


def _number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _strings(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(part, str) for part in value)


def _words(value: object) -> bool:
    return _strings(value) and all(part.strip() for part in value)


def _stages(value: object) -> bool:
    return _strings(value) and set(value) <= set(get_args(Stage))


_CHECKS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "port": ("a whole number from 1 to 65535", lambda v: _whole(v, 1, 65_535)),
    "path": ('a path such as "/analyze"', lambda v: isinstance(v, str) and v.startswith("/")),
    "category": (f"one of {', '.join(get_args(Category))}", lambda v: v in get_args(Category)),
    "transport": (f"one of {', '.join(get_args(Transport))}", lambda v: v in get_args(Transport)),
    "concurrency": ('a whole number from 1 to 1000, or "auto"', lambda v: v == "auto" or _whole(v, 1, 1_000)),
    "timeout_seconds": ("seconds above 0, at most 600", lambda v: _number(v) and 0 < v <= 600),
    "max_upload_bytes": ("a whole number of at least 1024", lambda v: _whole(v, 1_024, 2**40)),
    "sets": ("a list of set names", _strings),
    "feeds": (
        f"a list out of {', '.join(get_args(Stage))}",
        _stages,
    ),
    "host": ("a host name or address", lambda v: isinstance(v, str) and bool(v.strip())),
    "answers_as": ("a list of names that its replies bear", _words),
    "enriches": (f"one of {', '.join(get_args(Enriches))}", lambda v: isinstance(v, str) and v in get_args(Enriches)),
}
_REQUIRED = {f.name for f in fields(Service)} - {"name", "host", "answers_as", "foreign", "enriches"}


def _entry_problems(
    where: str, name: str, entry: object, shared: Mapping[str, Any], notes: Mapping[str, str]
) -> list[Problem]:
    if not _NAME.fullmatch(name):
        return [Problem(where, name, "a service name is lower-case letters, digits and _ (it names a queue)")]
    if name in notes:
        return [Problem(where, name, "is the name of a set already")]
    if not isinstance(entry, dict):
        return [Problem(where, str(entry), "must be an object")]
    merged = {**shared, **entry}
    problems = [_unknown_key(f"{where}.{key}") for key in merged.keys() - _CHECKS.keys()]
    for key, (allowed, accepts) in _CHECKS.items():
        if key in merged and not accepts(merged[key]):
            problems.append(Problem(f"{where}.{key}", str(merged[key]), f"must be {allowed}"))
    problems += [Problem(f"{where}.{key}", "", "is missing") for key in sorted(_REQUIRED - merged.keys())]
    strays = set(merged.get("sets", ())) - notes.keys() if _strings(merged.get("sets")) else set()
    return problems + [Problem(f"{where}.sets", stray, "is not described under sets") for stray in sorted(strays)]


def _unknown_key(where: str) -> Problem:
    key = where.rpartition(".")[2]
    nearest = difflib.get_close_matches(key, _CHECKS, n=1)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    return Problem(where, key, f"is not a known key; {hint}known: {', '.join(_CHECKS)}")


def _service(name: str, entry: Mapping[str, Any]) -> Service:
    lists = {key: tuple(entry.get(key, ())) for key in ("sets", "feeds", "answers_as")}
    return Service(**{"name": name, **entry, **lists})


def _clashes(source: str, services: Mapping[str, Service]) -> list[Problem]:
    taken: dict[tuple[str, int], str] = {}
    problems = []
    for service in services.values():
        first = taken.setdefault((service.host, service.port), service.name)
        if first != service.name:
            where = f"{source}: {service.name}.port"
            problems.append(Problem(where, str(service.port), f"is taken by {first} on the same host"))
    return problems + _shared_names(source, services)


def _shared_names(source: str, services: Mapping[str, Service]) -> list[Problem]:
    """A name that two services bear could not tell whose reply it is."""
    taken = {name: name for name in services}
    problems = []
    for service in services.values():
        for name in service.answers_as:
            first = taken.setdefault(name, service.name)
            if first != service.name:
                where = f"{source}: {service.name}.answers_as"
                problems.append(Problem(where, name, f"is a name of {first}; if both answer so, neither may list it"))
    return problems


def _acquainted(services: Mapping[str, Service]) -> dict[str, Service]:
    """The services, each knowing the names of the others."""
    own = {service.name: frozenset((service.name, *service.answers_as)) for service in services.values()}
    every = frozenset[str]().union(*own.values())
    return {name: replace(service, foreign=every - own[name]) for name, service in services.items()}
