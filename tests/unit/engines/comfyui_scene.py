"""A stand-in for ComfyUI, and graphs for it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dev.farm.comfyui.server import ComfyUiStandIn, serving
from tests.conformance.engines.rigs import GRAPH, request_in
from tests.waiting import until
from windmill.core.errors import WindmillError
from windmill.core.service_access import ServiceAccess
from windmill.core.service_urls import service_url
from windmill.engines.comfyui.engine import ComfyUiEngine
from windmill.engines.engine import EngineOutput, EngineRequest, JsonValue
from windmill.engines.entries import ComfyUiEntry


class Server:
    """The stand-in, and an engine that asks it."""

    def __init__(self, stand_in: ComfyUiStandIn, url: str, graphs: Mapping[str, str] | None = None) -> None:
        self.stand_in = stand_in
        self.url = url
        self.engine = ComfyUiEngine(
            "it", ComfyUiEntry(url=service_url(url, "url"), graphs=graphs or {}), ServiceAccess()
        )

    def start(
        self, request: EngineRequest, cancelled: asyncio.Event | None = None, told: list[float] | None = None
    ) -> asyncio.Task[EngineOutput]:
        heard = told if told is not None else []
        return asyncio.create_task(self.engine.run(request, heard.append, cancelled or asyncio.Event()))

    async def failure(self, request: EngineRequest) -> WindmillError:
        with pytest.raises(WindmillError) as raised:
            await self.start(request)
        assert self.stand_in.prompts.remaining == 0
        return raised.value

    async def works(self) -> None:
        await until(lambda: self.stand_in.prompts.running)


@asynccontextmanager
async def server(
    folder: Path, models: Mapping[str, tuple[str, ...]] | None = None, graphs: Mapping[str, str] | None = None
) -> AsyncIterator[Server]:
    stand_in = ComfyUiStandIn(folder / "comfyui", **({"models": models} if models is not None else {}))
    async with serving(stand_in) as url:
        made = Server(stand_in, url, graphs)
        try:
            yield made
        finally:
            await made.engine.close()


def asking(
    folder: Path, graph: Mapping[str, JsonValue] = GRAPH, name: str = "job-7", **parameters: int
) -> EngineRequest:
    request = request_in(folder, name, **parameters)
    return EngineRequest(request.name, request.inputs, request.parameters, request.scratch, graph)
