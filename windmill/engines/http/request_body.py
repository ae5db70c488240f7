"""The forms in which a request goes to a server."""

import base64
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from windmill.core.errors import WindmillError
from windmill.engines.engine import EngineRequest, JsonValue
from windmill.engines.entries import BodyForm
from windmill.engines.outputs import media_type_of
from windmill.engines.process.arguments import DEFAULT_STYLE, seed_of

MAX_JSON_INPUT = 64 * 1024 * 1024
"""Larger inputs do not go into a JSON document: it is made in memory."""
INPUT_FIELD = "input_file"


WHISPER = "whisper-1"
_PIECE = 3 * 256 * 1024


def build(form: BodyForm, request: EngineRequest, files: ExitStack, model: str = "") -> dict[str, Any]:
    """The options of the request; files that it reads from stay open as long as `files`."""
    if form == "transcription":
        return _transcription(request, files, model or WHISPER)
    return _FORMS[form](request, files)


def _multipart(request: EngineRequest, files: ExitStack) -> dict[str, Any]:
    """Field `input_file`, other inputs by their names, and a field for each parameter."""
    body = aiohttp.FormData()
    for name, path in request.inputs.items():
        field = INPUT_FIELD if path == request.main_input else name
        file = files.enter_context(path.open("rb"))
        body.add_field(field, file, filename=f"{field}{path.suffix}", content_type=media_type_of(path.name))
    for name, value in parameters_of(request).items():
        body.add_field(name, as_text(value))
    return {"data": body}


def _raw(request: EngineRequest, files: ExitStack) -> dict[str, Any]:
    """The input as it is; parameters in the query."""
    query = {name: as_text(value) for name, value in parameters_of(request).items()}
    path = request.main_input
    if path is None:
        return {"params": query, "data": b""}
    headers = {"Content-Type": media_type_of(path.name)}
    return {"params": query, "data": files.enter_context(path.open("rb")), "headers": headers}


def _json(request: EngineRequest, _files: ExitStack) -> dict[str, Any]:
    """`image` is the input in base64, as are other inputs under their names."""
    document: dict[str, JsonValue] = dict(parameters_of(request))
    for name, path in request.inputs.items():
        document["image" if path == request.main_input else name] = _encoded(path)
    return {"data": orjson.dumps(document), "headers": {"Content-Type": "application/json"}}


def _base64(request: EngineRequest, _files: ExitStack) -> dict[str, Any]:
    """`image` is the input in base64, beside nothing but the parameters that were given: hosted models are strict."""
    if request.main_input is None:
        raise WindmillError("USAGE", "a request with the body base64 needs a picture")
    given = {name: value for name, value in request.parameters.items() if value is not None and name != "task"}
    document = {**given, "image": _encoded(request.main_input)}
    return {"data": orjson.dumps(document), "headers": {"Content-Type": "application/json"}}


def _audio(request: EngineRequest, files: ExitStack) -> dict[str, Any]:
    """`audio` is the recording in base64, and nothing else is sent. It is written to a file first, as hours of talk do
    not fit into memory."""
    path = _recording(request)
    request.scratch.mkdir(parents=True, exist_ok=True)
    body = request.scratch / "request.json"
    with path.open("rb") as source, body.open("wb") as target:
        target.write(b'{"audio":"')
        while piece := source.read(_PIECE):
            target.write(base64.b64encode(piece))
        target.write(b'"}')
    return {"data": files.enter_context(body.open("rb")), "headers": {"Content-Type": "application/json"}}


def _transcription(request: EngineRequest, files: ExitStack, model: str) -> dict[str, Any]:
    """The form of POST /v1/audio/transcriptions, which asks for the times of words."""
    path, body = _recording(request), aiohttp.FormData()
    body.add_field("file", files.enter_context(path.open("rb")), filename=path.name, content_type="audio/wav")
    fields = {"model": model, "response_format": "verbose_json", "timestamp_granularities[]": "word"}
    language = request.parameters.get("language")
    for name, value in {**fields, **({"language": as_text(language)} if language else {})}.items():
        body.add_field(name, value)
    return {"data": body}


def _recording(request: EngineRequest) -> Path:
    if request.main_input is None:
        raise WindmillError("USAGE", "a request of this form needs a recording")
    return request.main_input


_FORMS = {"multipart": _multipart, "raw": _raw, "json": _json, "base64": _base64, "audio": _audio}


def parameters_of(request: EngineRequest) -> Mapping[str, JsonValue]:
    """What the seed's servers expect, and whatever else there is."""
    given = {name: value for name, value in request.parameters.items() if value is not None}
    return {"prompt": "", "style": DEFAULT_STYLE, **given, "seed": seed_of(request.parameters)}


def as_text(value: JsonValue) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _encoded(path: Path) -> str:
    if path.stat().st_size > MAX_JSON_INPUT:
        said = f"{path.name} is over {MAX_JSON_INPUT:,} bytes, the most that goes into JSON"
        raise WindmillError("IMAGE_TOO_LARGE", said, 'shrink it, or let the engine take "body": "multipart"')
    return base64.b64encode(path.read_bytes()).decode()
