"""Engines of every kind that behave as a test asks, with the servers behind them."""

import io
import os
import sys
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

from aiohttp import web

from dev.farm.comfyui.server import ComfyUiStandIn, serving
from tests.conformance.engines.painter import PNG
from tests.waiting import forever
from windmill.core.service_urls import service_url
from windmill.engines.engine import EngineRequest, JsonValue
from windmill.engines.entries import BuiltinEntry, ComfyUiEntry, EngineEntry, HttpEntry, ProcessEntry
from windmill.engines.registry import Engines, open_engines
from windmill.storage.jobs.rows import TaskKey

Behaviour = Literal[
    "paints",
    "hangs",
    "dies",
    "lies",
    "says nothing",
    "writes half",
    "writes a page",
    "logs",
    "eats",
    "paints in pieces",
]
PAINTER = Path(__file__).with_name("painter.py")
ENVIRON = {"PATH": os.environ["PATH"]}
GRAPH: dict[str, JsonValue] = {
    "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 48, "batch_size": 2, "color": 0x336699}},
    "2": {
        "class_type": "ImageAddNoise",
        "inputs": {"image": ["1", 0], "seed": {"$parameter": "seed", "default": 0}, "strength": 0.3},
    },
    "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "frame"}},
}


class Rig(Protocol):
    """One kind of engine."""

    kind: str
    makes: str
    """The media type of what it makes."""
    waits: bool
    """Whether its requests wait outside of it, so that nothing of them runs that could be ended."""
    behaviours: tuple[Behaviour, ...]

    @property
    def environ(self) -> Mapping[str, str]: ...

    async def entry(self, behaviour: Behaviour, seconds: float) -> EngineEntry: ...

    async def close(self) -> None: ...

    def left_over(self, request: EngineRequest) -> bool:
        """Whether anything still works on the request."""
        ...


@dataclass
class _PaintingRig:
    """What rigs have whose engines make pictures by themselves."""

    makes: str = field(default="image/png", init=False)
    waits: bool = field(default=False, init=False)
    environ: Mapping[str, str] = field(default_factory=lambda: ENVIRON, init=False)


@dataclass
class BuiltinRig(_PaintingRig):
    kind: str = "builtin"
    behaviours: tuple[Behaviour, ...] = ("paints",)

    async def entry(self, behaviour: Behaviour, seconds: float) -> EngineEntry:
        return BuiltinEntry(timeout_seconds=seconds)

    async def close(self) -> None: ...

    def left_over(self, request: EngineRequest) -> bool:
        return False


@dataclass
class ProcessRig(_PaintingRig):
    kind: str = "process"
    keep_alive: bool = False
    behaviours: tuple[Behaviour, ...] = (
        "paints", "hangs", "dies", "lies", "says nothing", "writes half", "writes a page", "logs", "eats",
        "paints in pieces",
    )  # fmt: skip

    async def entry(self, behaviour: Behaviour, seconds: float) -> EngineEntry:
        command = (sys.executable, str(PAINTER), behaviour)
        memory = 200_000_000 if behaviour == "eats" else 0
        return ProcessEntry(command=command, keep_alive=self.keep_alive, timeout_seconds=seconds, memory_bytes=memory)

    async def close(self) -> None: ...

    def left_over(self, request: EngineRequest) -> bool:
        told = request.out / "pids.txt"  # not there if it was ended before it could tell them
        pids = told.read_text().split() if told.exists() else []
        return any(Path("/proc", pid).exists() for pid in pids)


@dataclass
class HttpRig(_PaintingRig):
    kind: str = "http"
    behaviours: tuple[Behaviour, ...] = (
        "paints", "hangs", "dies", "lies", "says nothing", "writes half", "writes a page",
    )  # fmt: skip
    open_requests: int = 0
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def entry(self, behaviour: Behaviour, seconds: float) -> EngineEntry:
        url = await self._stack.enter_async_context(http_server(partial(self._infer, behaviour)))
        return HttpEntry(url=service_url(url, "url"), timeout_seconds=seconds)

    async def close(self) -> None:
        await self._stack.aclose()

    def left_over(self, request: EngineRequest) -> bool:
        return self.open_requests > 0

    async def _infer(self, behaviour: Behaviour, request: web.Request) -> web.StreamResponse:
        self.open_requests += 1
        try:
            if request.method == "GET":
                return web.Response(status=405)
            await request.read()
            return await self._answer(behaviour, request)
        finally:
            self.open_requests -= 1

    async def _answer(self, behaviour: Behaviour, request: web.Request) -> web.StreamResponse:
        if behaviour == "hangs":
            await forever()
        if behaviour in ("dies", "writes half"):
            reply = web.StreamResponse(headers={"Content-Type": "image/png", "Content-Length": str(len(PNG))})
            await reply.prepare(request)
            await reply.write(PNG[: 40 if behaviour == "writes half" else 0])
            assert request.transport
            request.transport.abort()
            return reply
        if behaviour == "lies":
            return web.json_response({"success": True, "frames_path": "/etc"})
        if behaviour == "writes a page":
            return web.Response(body=b"<html></html>", content_type="image/png")
        return web.Response(body=zip_of({} if behaviour == "says nothing" else FRAMES), content_type="application/zip")


@dataclass
class ComfyUiRig(_PaintingRig):
    folder: Path = field(kw_only=True)
    kind: str = "comfyui"
    behaviours: tuple[Behaviour, ...] = (
        "paints", "hangs", "dies", "says nothing", "writes half", "writes a page",
    )  # fmt: skip
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    stand_in: ComfyUiStandIn | None = None

    async def entry(self, behaviour: Behaviour, seconds: float) -> EngineEntry:
        self.stand_in = ComfyUiStandIn(self.folder)
        faults = self.stand_in.faults
        faults.node_seconds = 0.2 if behaviour == "hangs" else 0.0
        faults.hangs = behaviour == "hangs"
        faults.crash = "ImageAddNoise" if behaviour == "dies" else ""
        faults.save_nothing = behaviour == "says nothing"
        faults.cut_view = behaviour == "writes half"
        faults.page_for_view = behaviour == "writes a page"
        url = await self._stack.enter_async_context(serving(self.stand_in))
        return ComfyUiEntry(url=service_url(url, "url"), timeout_seconds=seconds)

    async def close(self) -> None:
        await self._stack.aclose()

    def left_over(self, request: EngineRequest) -> bool:
        assert self.stand_in
        return self.stand_in.prompts.remaining > 0


FRAMES = {"frame_0001.png": PNG, "frame_0002.png": PNG}


def zip_of(files: dict[str, bytes]) -> bytes:
    """An archive in memory."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


@asynccontextmanager
async def http_server(
    infer: Callable[[web.Request], Awaitable[web.StreamResponse]], path: str = "/{any:.*}"
) -> AsyncIterator[str]:
    """A server with one handler; gives its URL."""
    app = web.Application(client_max_size=2**30)

    async def handle(request: web.Request) -> web.StreamResponse:
        return await infer(request)

    app.router.add_route("*", path, handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def one_engine(entry: EngineEntry, environ: Mapping[str, str] = ENVIRON) -> AsyncIterator[Engines]:
    """The entry as the engine `it`."""
    async with open_engines({"it": entry}, environ) as engines:
        yield engines


def request_in(folder: Path, name: str = "job-7_paint_0", **parameters: int | str) -> EngineRequest:
    """A request with a picture as its input."""
    folder.mkdir(parents=True, exist_ok=True)
    photo = folder / "photo.png"
    photo.write_bytes(PNG)
    given = {"prompt": "a mill", "seed": 0, **parameters}
    return EngineRequest(name, {"input": photo}, given, folder / "scratch" / name, GRAPH, TaskKey(7, 0, 0), "job-7")
