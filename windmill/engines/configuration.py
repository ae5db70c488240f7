"""Reads `engines` in service_config.json, and the variables that make the entry `default`.

"engines": {
  "painter": {"kind": "process", "command": ["python3", "paint.py"], "timeout_seconds": 600},
  "comfy": {"kind": "comfyui", "url": "http://localhost:8188"}
}
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from windmill.core.errors import ConfigInvalid, Problem
from windmill.core.paths import user_or_packaged_file
from windmill.core.service_entries import MAX_ADDRESSES, TLS_KEYS, header_templates
from windmill.core.service_urls import service_url
from windmill.core.services import read_document
from windmill.core.setting_parts import EngineSettings
from windmill.engines.audio.libraries import is_installed
from windmill.engines.entries import (
    AudioEntry,
    BodyForm,
    BuiltinEntry,
    ComfyUiEntry,
    EngineEntry,
    FleetEntry,
    HttpEntry,
    ModelFile,
    ProcessEntry,
    Signature,
)
from windmill.kernels.text.json_readers import (
    DocumentInvalid,
    MistakeCollector,
    Reader,
    boolean,
    dataclass_of,
    dict_of,
    integer,
    list_of,
    mapping,
    matching,
    number,
    one_of,
    rejected_value,
    seconds,
    text,
)

DEFAULT, FLEET, AUDIO = "default", "fleet", "audio"
MAX_BYTES = 2**40
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_PARAMETER = matching(r"[A-Za-z][A-Za-z0-9_]{0,62}", "the name of a parameter: letters, digits and _")
_HOST = matching(r"[A-Za-z0-9.:\[\]-]{1,253}", "a host name or address, with or without :port")

_MODEL = dataclass_of(
    ModelFile,
    {
        "file": text,
        "sha256": matching("[0-9a-f]{64}", "a SHA-256 in 64 lower-case hexadecimal digits"),
        "licence": text,
        "acknowledged_by": text,
    },
)
_COMMON: dict[str, Reader[Any]] = {
    "concurrency": integer(1, 1_000),
    "timeout_seconds": seconds(604_800),
    "models": list_of(_MODEL, "models"),
    "models_folder": text,
    "tasks": list_of(text, "names of tasks"),
    "version": text,
}
_REMOTE: dict[str, Reader[Any]] = {
    "url": service_url,
    "headers": header_templates,
    **dict.fromkeys(TLS_KEYS, text),
    "max_response_bytes": integer(1_024, MAX_BYTES),
}


def _command(value: object, key: str) -> tuple[str, ...]:
    parts = list_of(text, "the program and its arguments")(value, key)
    if not parts:
        raise rejected_value(key, value, "must name a program")
    return parts


_read_http: Reader[HttpEntry] = dataclass_of(
    HttpEntry,
    {
        **_COMMON,
        **_REMOTE,
        "urls": list_of(service_url, "URLs"),
        "path": matching(r"/\S*", "a path that begins with /"),
        "body": one_of(get_args(BodyForm)),
        "sign": one_of(get_args(Signature)),
        "aws_service": matching(r"[a-z0-9-]{1,63}", "the name by which AWS signs, such as sagemaker or bedrock"),
        "aws_region": matching(r"[a-z0-9-]{1,63}", "a region such as eu-central-1"),
        "shared_folder": matching(r"/.*", "an absolute path"),
        "download_from": list_of(_HOST, "hosts"),
        "model": text,
    },
)


def _http(value: object, key: str) -> HttpEntry:
    """The keys, and how they go together."""
    own = mapping(value, key)
    urls = own.get("urls")
    if urls is not None and "url" in own:
        raise rejected_value(f"{key}.url", own["url"], "and urls exclude each other")
    if urls is not None and (not isinstance(urls, list) or not urls):
        raise rejected_value(f"{key}.urls", urls, "must name a URL at least")
    entry = _read_http({**own, "url": urls[0]} if urls else own, key)
    if len(set(entry.urls)) < len(entry.urls) or len(entry.urls) > MAX_ADDRESSES:
        raise rejected_value(f"{key}.urls", len(entry.urls), f"must be different URLs, at most {MAX_ADDRESSES}")
    if entry.sign and entry.body in ("multipart", "transcription"):
        raise rejected_value(
            f"{key}.sign", entry.sign, "needs the body raw, json, base64 or audio: its digest is signed"
        )
    return entry


_READERS: dict[str, Reader[EngineEntry]] = {
    "audio": dataclass_of(
        AudioEntry,
        {
            **_COMMON,
            "model": text,
            "voices": text,
            "alike": number(0.0, 1.0),
            "threads": integer(1, 128),
            "memory_bytes": integer(256 * 1024 * 1024, MAX_BYTES),
        },
    ),
    "builtin": dataclass_of(BuiltinEntry, _COMMON),
    "process": dataclass_of(
        ProcessEntry,
        {
            **_COMMON,
            "command": _command,
            "keep_alive": boolean,
            "parameters": list_of(_PARAMETER, "names of parameters"),
            "memory_bytes": integer(16 * 1024 * 1024, MAX_BYTES),
            "environment": dict_of(text),
        },
    ),
    "http": _http,
    "comfyui": dataclass_of(ComfyUiEntry, {**_COMMON, **_REMOTE, "graphs": dict_of(text), "checkpoint": text}),
    "fleet": dataclass_of(
        FleetEntry,
        {
            **_COMMON,
            "services": list_of(text, "names of services and sets"),
            "window": integer(1, 10_000),
            "resubmit_seconds": seconds(86_400),
        },
    ),
}
KINDS = tuple(_READERS)


def load_engines(path: Path, settings: EngineSettings, home: Path) -> dict[str, EngineEntry]:
    """The entries by name; raises ConfigInvalid with every problem found."""
    document = read_document(path)
    entries = parse_engines(document.get("engines", {}) if isinstance(document, dict) else {}, path.name)
    known = {**with_default(entries, settings), **({AUDIO: AudioEntry()} if is_installed() else {}), **entries}
    return {name: _with_absolute_paths(entry, home) for name, entry in known.items()}


def parse_engines(value: object, source: str) -> dict[str, EngineEntry]:
    """The entries in a parsed JSON document."""
    found, entries = MistakeCollector(), dict[str, EngineEntry]()
    given: Mapping[str, Any] = {}
    with found.part():
        given = mapping(value, f"{source}: engines")
    for name, entry in given.items():
        with found.part():
            entries[name] = _entry(f"{source}: engines.{name}", name, entry)
    if found.mistakes:
        raise ConfigInvalid([Problem(one.key, one.rendered_value, one.message) for one in found.mistakes])
    return entries


def with_default(entries: dict[str, EngineEntry], settings: EngineSettings) -> dict[str, EngineEntry]:
    """The entries with `fleet`, the services of this file, and with `default`: what MODEL_ADAPTER_TYPE says, else that
    of the file, else the built-in engine."""
    entries = {FLEET: FleetEntry(), **entries}
    if not settings.model_adapter_type:
        return {DEFAULT: BuiltinEntry(), **entries}
    if DEFAULT in entries:
        said = "makes the engine default, which service_config.json has as well; remove one of them"
        raise ConfigInvalid([Problem("MODEL_ADAPTER_TYPE", settings.model_adapter_type, said)])
    return {DEFAULT: _default_entry(settings), **entries}


def _default_entry(settings: EngineSettings) -> EngineEntry:
    if settings.model_adapter_type == "mock":
        return BuiltinEntry()
    limit = settings.model_api_timeout / 1_000
    if settings.model_adapter_type == "python":
        if not settings.python_script:
            raise ConfigInvalid([Problem("PYTHON_SCRIPT", "", "must name a script with MODEL_ADAPTER_TYPE=python")])
        return ProcessEntry(command=(*shlex.split(settings.python_path), settings.python_script), timeout_seconds=limit)
    try:
        return HttpEntry(url=service_url(settings.model_api_url, "MODEL_API_URL"), timeout_seconds=limit)
    except DocumentInvalid as error:
        raise ConfigInvalid([Problem(one.key, one.rendered_value, one.message) for one in error.mistakes]) from error


def _entry(where: str, name: str, value: object) -> EngineEntry:
    if not _NAME.fullmatch(name):
        raise rejected_value(where, name, "an engine's name is lower-case letters, digits and _")
    kind = mapping(value, where).get("kind")
    if not isinstance(kind, str) or kind not in _READERS:
        raise rejected_value(f"{where}.kind", kind, f"must be one of {', '.join(KINDS)}")
    own = {key: given for key, given in mapping(value, where).items() if key != "kind"}
    return _READERS[kind](own, where)


def _with_absolute_paths(entry: EngineEntry, home: Path) -> EngineEntry:
    """Paths in entries start from the folder of `.env`, wherever the process was started."""
    if entry.models_folder:
        entry = replace(entry, models_folder=str(home / Path(entry.models_folder).expanduser()))
    if isinstance(entry, AudioEntry):
        return replace(entry, model=_below(entry.model, home), voices=_below(entry.voices, home))
    if isinstance(entry, ComfyUiEntry):
        graphs = {task: _graph_file(path, home) for task, path in entry.graphs.items()}
        return replace(entry, graphs=graphs)
    if isinstance(entry, ProcessEntry):
        return replace(entry, command=tuple(_absolute(part, home) for part in entry.command))
    return entry


def _graph_file(path: str, home: Path) -> str:
    """The user's own file, or else one that ships with Windmill: presets/graphs/upscale.json."""
    return str(user_or_packaged_file(Path(path).expanduser(), home))


def _below(path: str, home: Path) -> str:
    return str(home / Path(path).expanduser()) if path else ""


def _absolute(part: str, home: Path) -> str:
    """A part of a command that names a file there, in full; other parts are options, or programs on the PATH."""
    if not part.startswith("-") and (home / part).is_file():
        return str(home / part)
    return part
