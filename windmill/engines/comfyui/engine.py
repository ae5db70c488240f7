"""An engine that is a ComfyUI server.

The id of a prompt is the name of the request: after a lost connection or worker the same request finds its prompt
again, waiting, running or done, and does not have it made twice.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.service_access import ServiceAccess
from windmill.engines.cancelling import until_cancelled
from windmill.engines.comfyui.client import ComfyUiClient
from windmill.engines.comfyui.events import PromptProgress
from windmill.engines.comfyui.graph import Graph, render_graph
from windmill.engines.comfyui.history import Finished, files_to_fetch
from windmill.engines.comfyui.task_graphs import graph_of, ignored_parameters
from windmill.engines.engine import EngineHealth, EngineKind, EngineOutput, EngineRequest, JsonValue, OnProgress
from windmill.engines.entries import ComfyUiEntry
from windmill.engines.outputs import gather, prepare
from windmill.engines.remote import Remote

logger = logging.getLogger(__name__)

CHECK_SECONDS = 5.0
LOOK_SECONDS = 1.0
"""Between two looks into the history; the socket makes it look sooner."""
RECONNECT_SECONDS = 1.0
STOP_SECONDS = 1.5
"""How long a cancelled prompt may take to stop: a node that works is not interrupted, and ends by itself later."""
LOST_LOOKS = 2
"""So often a prompt has to be nowhere before it counts as lost: it may move from the queue to the history meanwhile."""


class ComfyUiEngine:
    """Has graphs executed by a server, and brings home what they save."""

    kind: EngineKind = "comfyui"

    def __init__(self, name: str, entry: ComfyUiEntry, access: ServiceAccess) -> None:
        self.name = name
        self._graphs = entry.graphs
        self._own = {"checkpoint": entry.checkpoint} if entry.checkpoint else {}
        self._remote = Remote(name, entry, access)
        self._client = ComfyUiClient(self._remote)

    async def check(self) -> EngineHealth:
        """Whether it answers /system_stats within five seconds."""
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                return _health(await self._client.system_stats())
        except TimeoutError:
            return EngineHealth(False, f"ComfyUI does not answer within {CHECK_SECONDS:g} s")
        except WindmillError as error:
            return EngineHealth(False, error.message)

    async def models(self, folder: str) -> list[str]:
        """The files that the server has in a folder of models."""
        return await self._client.models(folder)

    async def run(self, request: EngineRequest, on_progress: OnProgress, cancelled: asyncio.Event) -> EngineOutput:
        graph = await asyncio.to_thread(graph_of, request, self.name, self._graphs)
        await asyncio.to_thread(prepare, request)
        finished = await until_cancelled(self._finished(request, graph, on_progress), cancelled)
        await until_cancelled(self._bring_home(finished, request), cancelled)
        files = await asyncio.to_thread(gather, request.out, request)
        on_progress(1.0)
        facts: dict[str, JsonValue] = {"engine": self.name, "kind": self.kind, "prompt_id": request.name, **self._own}
        ignored = ignored_parameters(request, graph)
        return EngineOutput(files, facts | ({"ignored": ignored} if ignored else {}))

    async def close(self) -> None:
        await self._remote.close()

    async def _finished(
        self, request: EngineRequest, template: Mapping[str, JsonValue], on_progress: OnProgress
    ) -> Finished:
        uploads = {name: await self._client.upload(path) for name, path in request.inputs.items()}
        graph = render_graph(template, request.name, uploads, {**request.parameters, **self._own})
        done = await self._client.history(request.name)
        if done and not done.failure and done.graph == graph:
            return done
        if done:
            await self._client.forget(request.name)
        progress = PromptProgress(request.name, len(graph))
        on_progress(0.0)
        try:
            return await self._followed(graph, request.name, progress, on_progress)
        except BaseException:
            await self._withdraw(request.name)
            raise

    async def _followed(
        self, graph: Graph, prompt_id: str, progress: PromptProgress, on_progress: OnProgress
    ) -> Finished:
        look = asyncio.Event()
        listening = asyncio.create_task(self._listen(progress, on_progress, look))
        try:
            if not await self._client.is_queued(prompt_id):
                await self._client.submit(graph, prompt_id)
            finished = await self._until_in_history(prompt_id, progress, look)
        finally:
            listening.cancel()
        if finished.failure:
            raise finished.failure
        return finished

    async def _until_in_history(self, prompt_id: str, progress: PromptProgress, look: asyncio.Event) -> Finished:
        missed = 0
        while missed < LOST_LOOKS:
            if finished := await self._client.history(prompt_id):
                return finished
            missed = 0 if await self._client.is_queued(prompt_id) else missed + 1
            look.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS if not progress.ended else LOOK_SECONDS / 10):
                    await look.wait()
        said = f"ComfyUI no longer knows the prompt {prompt_id}: it was restarted, or somebody removed it"
        raise WindmillError("SERVICE_ERROR", said, "send it again")

    async def _listen(self, progress: PromptProgress, on_progress: OnProgress, look: asyncio.Event) -> None:
        """Hear the events as long as the prompt is followed; a connection that is lost is made again."""
        while True:
            async for event in self._client.events():
                before, ended = progress.share, progress.ended
                progress.hear(event)
                if progress.share > before:
                    on_progress(progress.share)
                if progress.ended and not ended:
                    look.set()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _withdraw(self, prompt_id: str) -> None:
        """Have the server stop it; give up soon, as the job must end."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._client.withdraw(prompt_id)
                while await self._client.is_queued(prompt_id):  # noqa: ASYNC110 - no event tells
                    await asyncio.sleep(LOOK_SECONDS / 10)
        except (WindmillError, TimeoutError) as error:
            logger.warning("ComfyUI may still work on a prompt", extra={"prompt": prompt_id, "reason": repr(error)})

    async def _bring_home(self, finished: Finished, request: EngineRequest) -> None:
        for number, file in enumerate(files_to_fetch(finished)):
            target = request.out / file.filename
            if target.exists():
                target = request.out / f"{number:04d}_{file.filename}"
            await self._client.fetch(file, target)


def _health(stats: Mapping[str, Any]) -> EngineHealth:
    """What it says of itself, without its paths and arguments."""
    system = stats["system"]
    devices = [device.get("name") for device in stats.get("devices") or () if isinstance(device, dict)]
    version = system.get("comfyui_version")
    return EngineHealth(True, f"ComfyUI {version}", {"version": version, "devices": [str(one) for one in devices]})
