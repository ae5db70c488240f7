"""Opens the engines of a configuration, each behind its guard."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from windmill.core.errors import ConfigInvalid, Problem, WindmillError
from windmill.core.service_access import load_access
from windmill.core.settings import ROOT, Settings, environment
from windmill.engines.configuration import load_engines
from windmill.engines.engine import OwnedEngine
from windmill.engines.entries import (
    AudioEntry,
    BuiltinEntry,
    ComfyUiEntry,
    EngineEntry,
    FleetEntry,
    Headers,
    HttpEntry,
    ProcessEntry,
)
from windmill.engines.guard import GuardedEngine

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class _Named:
    """What core.service_access wants to know of a server."""

    name: str
    headers: Headers = field(repr=False)
    ca: str
    client_certificate: str
    client_key: str


class Engines(Mapping[str, GuardedEngine]):
    """The engines by name."""

    def __init__(self, engines: Mapping[str, GuardedEngine]) -> None:
        self._engines = dict(engines)

    def __getitem__(self, name: str) -> GuardedEngine:
        try:
            return self._engines[name]
        except KeyError:
            known = ", ".join(self._engines)
            raise WindmillError("NOT_FOUND", f"there is no engine {name!r}", f"known: {known}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._engines)

    def __len__(self) -> int:
        return len(self._engines)

    def __contains__(self, name: object) -> bool:
        return name in self._engines


def configured_engines(settings: Settings) -> dict[str, EngineEntry]:
    """The entries that SERVICE_CONFIG and the settings make."""
    return load_engines(settings.service_config, settings, ROOT)


@asynccontextmanager
async def open_engines(
    entries: Mapping[str, EngineEntry], environ: Mapping[str, str] | None = None
) -> AsyncIterator[Engines]:
    """The engines; connections and processes that they hold end with the block."""
    environ = environment() if environ is None else environ
    engines = {name: GuardedEngine(make_engine(name, entry, environ), entry) for name, entry in entries.items()}
    try:
        yield Engines(engines)
    finally:
        for engine in engines.values():
            await engine.close()


def make_engine(name: str, entry: EngineEntry, environ: Mapping[str, str]) -> OwnedEngine:
    """The engine of an entry. Only the code of its kind is loaded: one draws, another has a whole HTTP client."""
    if isinstance(entry, BuiltinEntry):
        from windmill.engines.builtin import BuiltinEngine

        return BuiltinEngine(name)
    if isinstance(entry, ProcessEntry):
        return _process(name, entry, environ)
    if isinstance(entry, AudioEntry):
        from windmill.engines.audio.engine import AudioEngine

        return AudioEngine(name, entry, dict(environ))
    if isinstance(entry, FleetEntry):
        from windmill.engines.fleet.engine import FleetEngine

        return FleetEngine(name, entry, Settings.from_env(environ))
    return _remote(name, entry, environ)


def _process(name: str, entry: ProcessEntry, environ: Mapping[str, str]) -> OwnedEngine:
    from windmill.engines.process.engine import ProcessEngine
    from windmill.engines.process.lines_engine import LinesEngine

    secrets = tuple(
        environ[one] for value in entry.environment.values() for one in _VARIABLE.findall(value) if one in environ
    )
    entry = replace(entry, environment=_filled(name, entry.environment, environ), secrets=secrets)
    return (LinesEngine if entry.keep_alive else ProcessEngine)(name, entry, dict(environ))


def _remote(name: str, entry: HttpEntry | ComfyUiEntry, environ: Mapping[str, str]) -> OwnedEngine:
    named = _Named(name, entry.headers, entry.ca, entry.client_certificate, entry.client_key)
    access = load_access([named], environ)[name]
    if isinstance(entry, HttpEntry):
        from windmill.engines.http.engine import HttpEngine
        from windmill.engines.http.signing import request_signer

        return HttpEngine(name, entry, access, request_signer(name, entry, environ))
    from windmill.engines.comfyui.engine import ComfyUiEngine

    return ComfyUiEngine(name, entry, access)


def _filled(name: str, variables: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of a process, with those that they name filled in: the file holds no secrets."""
    wanted = [found for value in variables.values() for found in _VARIABLE.findall(value)]
    missing = [Problem(one, "", f"is not set, but the engine {name} needs it") for one in wanted if one not in environ]
    if missing:
        raise ConfigInvalid(missing)
    return {key: _VARIABLE.sub(lambda found: environ[found[1]], value) for key, value in variables.items()}
