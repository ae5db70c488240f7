"""The services of the fleet, read from service_config.json and validated as a whole.

A service is one JSON entry; it joins the set `all`, the set of its category and the sets that it names.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from windmill.core.errors import ConfigInvalid, Problem, WindmillError
from windmill.core.service_entries import (
    ADDRESS_KEYS,
    TLS_KEYS,
    address_mistakes,
    fitting_defaults,
    header_templates,
    host_name,
)
from windmill.core.service_urls import ServiceUrl, host_and_port_url, service_url
from windmill.core.setting_parsers import Concurrency
from windmill.core.stages import STAGES, Stage
from windmill.kernels.boxes.crop_regions import Enriches
from windmill.kernels.text.json_readers import (
    DocumentInvalid,
    MistakeCollector,
    Reader,
    integer,
    list_of,
    mapping,
    matching,
    object_of,
    one_of,
    or_literal,
    rejected_value,
    seconds,
    text,
    unknown_keys,
)
from windmill.kernels.text.near_names import did_you_mean

Category = Literal["primary", "spatial_only"]
Transport = Literal["upload", "url"]
CanaryKind = Literal["face", "body", "words", "color"]
ExifOrientation = Literal["apply", "keep"]
"""Whether an image that EXIF turns is turned before it is sent (`apply`), or is sent as it is (`keep`): to a service
that turns images itself, or reads the file rather than the picture."""

BUILT_IN_SETS = {
    "all": "every service",
    "primary": "services that look at whole images",
    "spatial_only": "services made for crops of people",
}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
URGENT_SUFFIX = "_urgent"
"""Ends the name of the queue of a service's urgent jobs, and so the name of no service."""


@dataclass(frozen=True)
class Service:
    """One HTTP service: its address, how it is called, and which stages its answers feed."""

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
    """Other names that it may use for itself in its replies."""
    foreign: frozenset[str] = frozenset()
    """The names of all other services of the fleet; the fleet fills it in."""
    exif_orientation: ExifOrientation = "apply"
    enriches: Enriches | None = None
    """Which merged boxes it gets as crops; None for a service that gets whole images only."""
    fleet_concurrency: int | None = None
    """Calls that all processes of the fleet together may make at once; None for any number."""
    canary: CanaryKind | None = None
    """What it must find in a picture that shows it; None for a service without such a picture."""
    urls: tuple[ServiceUrl, ...] = ()
    """Its addresses, if it is configured by URL; `host` and `port` are then those of the first."""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Headers of every request, with names of variables in place of their values (service_access fills them in)."""
    ca: str = ""
    """A file with the authority that signs its certificate; empty for the system's authorities."""
    client_certificate: str = ""
    client_key: str = ""

    def addresses(self, host: str = "", port_offset: int = 0) -> tuple[ServiceUrl, ...]:
        """Where to call it. A non-empty `host` (SERVICE_HOST) and the offset move a service with host and port only:
        a URL is complete."""
        if self.urls:
            return tuple(replace(url, path=self.path) for url in self.urls)
        return (host_and_port_url(host or self.host, self.port + port_offset, self.path),)

    def url(self, host: str = "", port_offset: int = 0) -> str:
        """The first of its addresses."""
        return str(self.addresses(host, port_offset)[0])


@dataclass(frozen=True)
class Fleet:
    """All services in file order, and the named sets with a description each."""

    services: dict[str, Service]
    set_notes: dict[str, str]

    @property
    def sets(self) -> dict[str, list[str]]:
        """The members of every named set, in file order."""
        return {name: [s.name for s in self.services.values() if _belongs(s, name)] for name in self.set_notes}

    def feeding(self, stage: Stage) -> list[str]:
        """The services whose answers feed the stage, in file order."""
        return [service.name for service in self.services.values() if stage in service.feeds]

    def select(self, wanted: str | Iterable[str]) -> list[Service]:
        """The services in a comma-separated list of services and sets, each once, in file order."""
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
    hint = did_you_mean(name, known)
    said = f"unknown service or set {name!r}" if name else "no service named"
    return WindmillError(
        "NOT_FOUND" if name else "USAGE", said, f"{hint}known: {', '.join(known)}; a new one: add it to SERVICE_CONFIG"
    )


def load_fleet(path: Path) -> Fleet:
    """Read and validate a service_config.json; raises ConfigInvalid with every problem found."""
    return parse_fleet(read_document(path), path.name)


def read_document(path: Path) -> object:
    """The JSON in a service_config.json, as it is; raises ConfigInvalid."""
    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_reject_duplicates)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigInvalid([Problem("SERVICE_CONFIG", str(path), f"cannot be read: {error}")]) from error
    except ValueError as error:
        raise ConfigInvalid([Problem("SERVICE_CONFIG", str(path), f"is not valid JSON: {error}")]) from error


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Reject duplicate keys in a JSON object: the last one would silently win."""
    seen = dict(pairs)
    if len(seen) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} appears twice")
    return seen


def parse_fleet(document: object, source: str = "service_config.json") -> Fleet:
    """The fleet that a parsed JSON document describes."""
    if not isinstance(document, dict) or not isinstance(document.get("services"), dict):
        raise ConfigInvalid([Problem(source, "", 'must be an object with a "services" object')])
    found = MistakeCollector()
    found.mistakes += unknown_keys(document, f"{source}: ", ("sets", "defaults", "services", "engines"))
    notes, shared = dict(BUILT_IN_SETS), dict[str, Any]()
    with found.part():
        notes |= mapping(document.get("sets", {}), f"{source}: sets")
    with found.part():
        shared = mapping(document.get("defaults", {}), f"{source}: defaults")
    readers, services = _readers(notes), {}
    for name, entry in document["services"].items():
        with found.part():
            services[name] = _service(f"{source}: {name}", name, entry, shared, readers, notes)
    problems = [Problem(one.key, one.rendered_value, one.message) for one in found.mistakes]
    problems += _clashes(source, services)
    if problems:
        raise ConfigInvalid(problems)
    return Fleet(_with_foreign_names(services), notes)


def _readers(notes: Mapping[str, str]) -> dict[str, Reader[Any]]:
    """A reader for each key of an entry, given these sets."""

    def described(value: object, key: str) -> str:
        name = text(value, key)
        if name not in notes:
            raise rejected_value(key, value, "is not described under sets")
        return name

    return {
        "port": integer(1, 65_535),
        "path": matching(r"(?s)/.*", 'a path such as "/analyze"'),
        "category": one_of(get_args(Category)),
        "transport": one_of(get_args(Transport)),
        "concurrency": or_literal("auto", integer(1, 1_000)),
        "timeout_seconds": seconds(600),
        "max_upload_bytes": integer(1_024, 2**40),
        "sets": list_of(described, "set names"),
        "feeds": list_of(one_of(STAGES), f"stages out of {', '.join(STAGES)}"),
        "host": host_name,
        "answers_as": list_of(text, "names that it uses in its replies"),
        "exif_orientation": one_of(get_args(ExifOrientation)),
        "enriches": one_of(get_args(Enriches)),
        "url": service_url,
        "urls": list_of(service_url, "URLs"),
        "headers": header_templates,
        **dict.fromkeys(TLS_KEYS, text),
        "fleet_concurrency": integer(1, 1_000),
        "canary": one_of(get_args(CanaryKind)),
    }


_REQUIRED = {one.name for one in fields(Service) if one.default is MISSING} - {"name", "port"}


def _service(
    where: str,
    name: str,
    entry: object,
    shared: Mapping[str, Any],
    readers: Mapping[str, Reader[Any]],
    notes: Mapping[str, str],
) -> Service:
    if not _NAME.fullmatch(name):
        raise rejected_value(where, name, "a service name is lower-case letters, digits and _ (it names a queue)")
    if name.endswith(URGENT_SUFFIX):
        raise rejected_value(where, name, f"a service name does not end with {URGENT_SUFFIX} (urgent queues do)")
    if name in notes:
        raise rejected_value(where, name, "is the name of a set already")
    own = mapping(entry, where)
    given = {**fitting_defaults(shared, own), **own}
    by_url = not ADDRESS_KEYS.isdisjoint(given)
    read = object_of(readers, required=_REQUIRED if by_url else {*_REQUIRED, "port"})(given, where)
    if mistakes := address_mistakes(own, read, where):
        raise DocumentInvalid(mistakes)
    urls = read.pop("urls", ()) or tuple(url for url in [read.pop("url", None)] if url)
    first = {"host": urls[0].host, "port": urls[0].port} if urls else {}
    return Service(name=name, urls=urls, **first, **read)


def _clashes(source: str, services: Mapping[str, Service]) -> list[Problem]:
    return [*_shared_addresses(source, services), *_shared_names(source, services)]


def _shared_addresses(source: str, services: Mapping[str, Service]) -> list[Problem]:
    """Reject an address that two services share. Behind a gateway they share host and port, and differ in the path."""
    taken: dict[str, str] = {}
    problems = []
    for service in services.values():
        addresses = service.addresses()
        for address in {str(address): address for address in addresses}.values():
            said = f"{source}: {service.name}"
            first = taken.setdefault(str(address) if service.urls else address.origin, service.name)
            if first == service.name:
                first = taken.setdefault(str(address), service.name)
            if first != service.name and service.urls:
                problems.append(Problem(f"{said}.url", str(address), f"is the address of {first}"))
            elif first != service.name:
                problems.append(Problem(f"{said}.port", str(service.port), f"is taken by {first} on the same host"))
    return problems


def _shared_names(source: str, services: Mapping[str, Service]) -> list[Problem]:
    """Reject a name that two services share: it would not identify the sender of a reply."""
    taken = {name: name for name in services}
    problems = []
    for service in services.values():
        for name in service.answers_as:
            first = taken.setdefault(name, service.name)
            if first != service.name:
                where = f"{source}: {service.name}.answers_as"
                problems.append(Problem(where, name, f"is a name of {first}; if both answer so, neither may list it"))
    return problems


def _with_foreign_names(services: Mapping[str, Service]) -> dict[str, Service]:
    """The services, each with the names of the others."""
    own = {service.name: frozenset((service.name, *service.answers_as)) for service in services.values()}
    every = frozenset[str]().union(*own.values())
    return {name: replace(service, foreign=every - own[name]) for name, service in services.items()}
