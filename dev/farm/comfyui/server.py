"""The HTTP and socket side of the stand-in."""

import asyncio
import contextlib
import hashlib
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import BodyPartReader, WSMsgType, web

from dev.farm.comfyui.nodes import NODES, Installed, object_info
from dev.farm.comfyui.prompts import Misbehaviour, Prompt, Prompts
from dev.farm.comfyui.validation import validate

VERSION = "0.3.64+windmill-farm"
"""Says what it is, as every stand-in does."""
CHECKPOINT = "sd_xl_base_1.0.safetensors"
MAX_UPLOAD_BYTES = 100 * 1024 * 1024
MODELS: Mapping[str, Sequence[str]] = {"checkpoints": (CHECKPOINT,), "upscale_models": ()}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ComfyUiStandIn:
    """A server with its files below `folder`."""

    def __init__(self, folder: Path, models: Mapping[str, Sequence[str]] = MODELS) -> None:
        self.folder = folder
        self.models = models
        self.faults = Misbehaviour()
        self._sockets: dict[str, web.WebSocketResponse] = {}
        self.prompts = Prompts(folder, self._send, self.faults)
        for name in ("input", "output", "temp"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def app(self) -> web.Application:
        """Every path is also served below /api."""
        app = web.Application(client_max_size=MAX_UPLOAD_BYTES)
        for prefix in ("", "/api"):
            for (method, path), handler in self._routes().items():
                app.router.add_route(method, prefix + path, handler)
        return app

    @property
    def installed(self) -> Installed:
        files = sorted(path.name for path in (self.folder / "input").iterdir() if path.is_file())
        return Installed({**self.models, "input": files})

    def _routes(self) -> dict[tuple[str, str], Handler]:
        return {
            ("GET", "/ws"): self._socket,
            ("POST", "/prompt"): self._submit,
            ("GET", "/prompt"): self._remaining,
            ("GET", "/queue"): self._queue,
            ("POST", "/queue"): self._change_queue,
            ("POST", "/interrupt"): self._interrupt,
            ("GET", "/history"): self._history,
            ("POST", "/history"): self._change_history,
            ("GET", "/history/{id}"): self._history_of,
            ("GET", "/view"): self._view,
            ("POST", "/upload/image"): self._upload,
            ("GET", "/system_stats"): self._system_stats,
            ("GET", "/object_info"): self._object_info,
            ("GET", "/object_info/{name}"): self._object_info,
            ("GET", "/models"): self._model_folders,
            ("GET", "/models/{folder}"): self._models,
            ("GET", "/embeddings"): self._empty_list,
            ("GET", "/features"): self._features,
            ("POST", "/free"): self._free,
        }

    async def _submit(self, request: web.Request) -> web.Response:
        document = await request.json()
        if "prompt" not in document:
            error = {"type": "no_prompt", "message": "No prompt provided", "details": "", "extra_info": {}}
            return web.json_response({"error": error, "node_errors": {}}, status=400)
        verdict = validate(document["prompt"], self.installed)
        if verdict.error:
            return web.json_response({"error": verdict.error, "node_errors": verdict.node_errors}, status=400)
        number = float(document.get("number", self.prompts.next_number()))
        extra = dict(document.get("extra_data") or {})
        if "client_id" in document:
            extra["client_id"] = document["client_id"]
        prompt_id = str(document.get("prompt_id") or uuid.uuid4())
        number = -number if document.get("front") else number
        self.prompts.add(Prompt(number, prompt_id, document["prompt"], extra, verdict.outputs))
        answer = {"prompt_id": prompt_id, "number": number, "node_errors": verdict.node_errors}
        return web.json_response(answer)

    async def _remaining(self, _request: web.Request) -> web.Response:
        return web.json_response({"exec_info": {"queue_remaining": self.prompts.remaining}})

    async def _queue(self, _request: web.Request) -> web.Response:
        running = [self.prompts.running.row] if self.prompts.running else []
        return web.json_response(
            {"queue_running": running, "queue_pending": [prompt.row for prompt in self.prompts.pending]}
        )

    async def _change_queue(self, request: web.Request) -> web.Response:
        document = await request.json()
        gone = set(document.get("delete", ()))
        keep = [] if document.get("clear") else [one for one in self.prompts.pending if one.id not in gone]
        self.prompts.pending[:] = keep
        return web.Response()

    async def _interrupt(self, request: web.Request) -> web.Response:
        """Without a prompt_id whatever runs."""
        document = await request.json() if request.can_read_body else {}
        wanted, running = document.get("prompt_id"), self.prompts.running
        if running and wanted in (None, running.id):
            running.interrupted = True
        return web.Response()

    async def _history(self, _request: web.Request) -> web.Response:
        return web.json_response(self.prompts.history)

    async def _history_of(self, request: web.Request) -> web.Response:
        row = self.prompts.history.get(request.match_info["id"])
        return web.json_response({request.match_info["id"]: row} if row else {})

    async def _change_history(self, request: web.Request) -> web.Response:
        document = await request.json()
        if document.get("clear"):
            self.prompts.history.clear()
        for one in document.get("delete", ()):
            self.prompts.history.pop(one, None)
        return web.Response()

    async def _view(self, request: web.Request) -> web.Response:
        name, subfolder = request.query.get("filename", ""), request.query.get("subfolder", "")
        if not name or name.startswith("/") or ".." in name:
            return web.Response(status=400)
        root = self.folder / request.query.get("type", "output")
        path = (root / subfolder).resolve()
        if not path.is_relative_to(root.resolve()):
            return web.Response(status=403)
        file = path / Path(name).name
        if not file.is_file():
            return web.Response(status=404)
        if self.faults.page_for_view:
            return web.Response(body=b"<html>sign in</html>", content_type="image/png")
        data = file.read_bytes()
        return web.Response(body=data[: len(data) // 2] if self.faults.cut_view else data, content_type="image/png")

    async def _upload(self, request: web.Request) -> web.Response:
        fields: dict[str, bytes] = {}
        filename = ""
        async for part in await request.multipart():
            assert isinstance(part, BodyPartReader)
            filename = part.filename or filename
            fields[part.name or ""] = bytes(await part.read())
        if not filename or "image" not in fields:
            return web.Response(status=400)
        subfolder = fields.get("subfolder", b"").decode()
        kind = fields.get("type", b"input").decode() or "input"
        folder = (self.folder / kind / subfolder).resolve()
        if not folder.is_relative_to((self.folder / kind).resolve()):
            return web.Response(status=400)
        overwrite = fields.get("overwrite", b"").decode() in ("true", "1")
        name = _stored(folder, Path(filename).name, fields["image"], overwrite=overwrite)
        return web.json_response({"name": name, "subfolder": subfolder, "type": kind})

    async def _system_stats(self, _request: web.Request) -> web.Response:
        system = {
            "os": os.name,
            "ram_total": 0,
            "ram_free": 0,
            "comfyui_version": VERSION,
            "python_version": sys.version,
            "pytorch_version": "none",
            "embedded_python": False,
            "argv": ["dev.farm"],
        }
        device = {"name": "cpu", "type": "cpu", "index": None, "vram_total": 0, "vram_free": 0}
        return web.json_response({"system": system, "devices": [device]})

    async def _object_info(self, request: web.Request) -> web.Response:
        wanted = request.match_info.get("name")
        names = list(NODES) if wanted is None else [wanted] if wanted in NODES else []
        return web.json_response({name: object_info(name, self.installed) for name in names})

    async def _model_folders(self, _request: web.Request) -> web.Response:
        return web.json_response(list(self.models))

    async def _models(self, request: web.Request) -> web.Response:
        folder = request.match_info["folder"]
        return web.json_response(list(self.models[folder])) if folder in self.models else web.Response(status=404)

    async def _empty_list(self, _request: web.Request) -> web.Response:
        return web.json_response([])

    async def _features(self, _request: web.Request) -> web.Response:
        return web.json_response({"supports_preview_metadata": False, "max_upload_size": MAX_UPLOAD_BYTES})

    async def _free(self, _request: web.Request) -> web.Response:
        return web.Response()

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        client = request.query.get("clientId") or uuid.uuid4().hex
        self._sockets[client] = socket
        status = {"status": {"exec_info": {"queue_remaining": self.prompts.remaining}}, "sid": client}
        await self._send("status", status, client)
        async for message in socket:
            if message.type == WSMsgType.ERROR:
                break
        if self._sockets.get(client) is socket:
            del self._sockets[client]
        return socket

    async def _send(self, kind: str, data: dict[str, Any], client: str | None) -> None:
        text = json.dumps({"type": kind, "data": data})
        chosen = list(self._sockets.values()) if client is None else [self._sockets.get(client)]
        for socket in chosen:
            with contextlib.suppress(ConnectionError):
                if socket is not None:
                    await socket.send_str(text)

    async def drop_sockets(self) -> None:
        """Close every socket, as a network that fails does."""
        for socket in list(self._sockets.values()):
            await socket.close()


def _stored(folder: Path, filename: str, data: bytes, *, overwrite: bool) -> str:
    """The name under which the file is kept: another than asked for if that one has other bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    stem, suffix = Path(filename).stem, Path(filename).suffix
    name, number = filename, 1
    while (folder / name).exists() and not overwrite:
        if hashlib.sha256((folder / name).read_bytes()).digest() == hashlib.sha256(data).digest():
            return name
        name, number = f"{stem} ({number}){suffix}", number + 1
    (folder / name).write_bytes(data)
    return name


@asynccontextmanager
async def serving(stand_in: ComfyUiStandIn, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve it; gives its URL."""
    runner = web.AppRunner(stand_in.app(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    work = asyncio.create_task(stand_in.prompts.work())
    try:
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        work.cancel()
        await stand_in.drop_sockets()
        await runner.cleanup()
