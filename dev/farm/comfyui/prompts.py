"""The queue of the stand-in, the execution of one prompt at a time, and the history of what has ended."""

import asyncio
import json
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from PIL.PngImagePlugin import PngInfo

from dev.farm.comfyui.drawing import execute, to_picture
from dev.farm.comfyui.nodes import NODES
from dev.farm.comfyui.validation import needs

Send = Callable[[str, dict[str, Any], str | None], Awaitable[None]]
"""An event: its type, its data, and the client that gets it; None for all."""
DISCLAIMER = "drawn by Windmill's stand-in for ComfyUI; no model was asked"


@dataclass
class Prompt:
    """A prompt that waits or runs."""

    number: float
    id: str
    graph: dict[str, Any]
    extra: dict[str, Any]
    outputs: tuple[str, ...]
    interrupted: bool = False

    @property
    def row(self) -> list[Any]:
        return [self.number, self.id, self.graph, self.extra, list(self.outputs)]


@dataclass
class Misbehaviour:
    """What the stand-in does wrong, for tests."""

    node_seconds: float = 0.0
    hangs: bool = False
    """Whether a node works until it is interrupted, as a sampler does."""
    crash: str = ""
    """The kind of node that fails."""
    exception_type: str = "RuntimeError"
    forget: bool = False
    """Whether a prompt vanishes, as at a restart."""
    save_nothing: bool = False
    cut_view: bool = False
    page_for_view: bool = False


class _Interrupted(Exception):
    pass


class _NodeCrashed(Exception):
    def __init__(self, node: str, error: Exception) -> None:
        super().__init__(str(error))
        self.node = node


@dataclass
class Prompts:
    """All prompts of a server. Files are below `folder`: input, output, temp."""

    folder: Path
    send: Send
    faults: Misbehaviour = field(default_factory=Misbehaviour)
    pending: list[Prompt] = field(default_factory=list)
    running: Prompt | None = None
    history: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._cache: dict[str, tuple[tuple[object, ...], dict[str, Any]]] = {}
        self._added = asyncio.Event()
        self._count = 0

    def add(self, prompt: Prompt) -> None:
        self.pending.append(prompt)
        self.pending.sort(key=lambda one: one.number)
        self._added.set()

    def next_number(self) -> int:
        self._count += 1
        return self._count

    @property
    def remaining(self) -> int:
        return len(self.pending) + (self.running is not None)

    async def work(self) -> None:
        """Execute what is queued, for ever."""
        while True:
            while not self.pending:
                self._added.clear()
                await self._added.wait()
            self.running = self.pending.pop(0)
            await self._execute(self.running)
            self.running = None
            await self.status()

    async def status(self) -> None:
        await self.send("status", {"status": {"exec_info": {"queue_remaining": self.remaining}}}, None)

    async def _execute(self, prompt: Prompt) -> None:
        messages: list[list[Any]] = []
        outputs: dict[str, Any] = {}
        await self._tell(prompt, messages, "execution_start", {})
        kind, data = await self._outcome(prompt, messages, outputs)
        await self._tell(prompt, messages, kind, data)
        ok = kind == "execution_success"
        status = {"status_str": "success" if ok else "error", "completed": ok, "messages": messages}
        if not self.faults.forget:
            self.history[prompt.id] = {"prompt": prompt.row, "outputs": outputs, "status": status, "meta": {}}
        await self._event(prompt, "executing", {"node": None, "prompt_id": prompt.id})

    async def _outcome(
        self, prompt: Prompt, messages: list[list[Any]], outputs: dict[str, Any]
    ) -> tuple[str, dict[str, Any]]:
        try:
            await self._run(prompt, messages, outputs)
        except _Interrupted:
            return "execution_interrupted", {"executed": list(outputs)}
        except _NodeCrashed as error:
            return "execution_error", {
                "node_id": error.node,
                "node_type": prompt.graph[error.node]["class_type"],
                "executed": list(outputs),
                "exception_type": self.faults.exception_type,
                "exception_message": str(error),
                "traceback": traceback.format_exception(error),
                "current_inputs": {},
            }
        return "execution_success", {}

    async def _run(self, prompt: Prompt, messages: list[list[Any]], outputs: dict[str, Any]) -> None:
        order = list(dict.fromkeys(node for output in prompt.outputs for node in needs(prompt.graph, output)))
        signatures = {node: signature(prompt.graph, node) for node in order}
        cached = [node for node in order if signatures[node] in self._cache]
        await self._tell(prompt, messages, "execution_cached", {"nodes": cached})
        values: dict[str, tuple[object, ...]] = {}
        for node in order:
            if prompt.interrupted:
                raise _Interrupted
            if node not in cached:
                self._cache[signatures[node]] = await self._run_node(prompt, node, values)
            values[node], shown = self._cache[signatures[node]]
            if shown:
                outputs[node] = shown
                await self._event(prompt, "executed", {"node": node, "output": shown, "prompt_id": prompt.id})

    async def _run_node(
        self, prompt: Prompt, node: str, values: dict[str, tuple[object, ...]]
    ) -> tuple[tuple[object, ...], dict[str, Any]]:
        await self._state(prompt, node, 0, 1, "running")
        await self._event(prompt, "executing", {"node": node, "display_node": node, "prompt_id": prompt.id})
        await asyncio.sleep(self.faults.node_seconds)
        while self.faults.hangs:
            if prompt.interrupted:
                raise _Interrupted
            await asyncio.sleep(0.01)
        class_type = prompt.graph[node]["class_type"]
        steps: list[tuple[int, int]] = []
        try:
            if class_type == self.faults.crash:
                raise RuntimeError("this node was told to fail")
            given = _filled(prompt.graph[node].get("inputs", {}), values)
            if NODES[class_type].saves:
                made: tuple[object, ...] = ()
                shown = {} if self.faults.save_nothing else await asyncio.to_thread(self._save, class_type, given)
            else:
                tell = lambda step, most: steps.append((step, most))  # noqa: E731
                made = await asyncio.to_thread(execute, class_type, given, self.folder / "input", tell)
                shown = {}
        except Exception as error:
            raise _NodeCrashed(node, error) from error
        for step, most in steps:
            await self._event(prompt, "progress", {"value": step, "max": most, "prompt_id": prompt.id, "node": node})
        await self._state(prompt, node, 1, 1, "finished")
        return made, shown

    def _save(self, class_type: str, values: dict[str, Any]) -> dict[str, Any]:
        kind = "output" if class_type == "SaveImage" else "temp"
        prefix = PurePosixPath(values.get("filename_prefix", "ComfyUI_temp"))
        folder = self.folder / kind / prefix.parent
        folder.mkdir(parents=True, exist_ok=True)
        words = PngInfo()
        words.add_text("Comment", DISCLAIMER)
        shown = []
        first = len(list(folder.glob(f"{prefix.name}_*_.png"))) + 1
        for number, picture in enumerate(values["images"], first):
            name = f"{prefix.name}_{number:05}_.png"
            to_picture(picture).save(folder / name, pnginfo=words)
            subfolder = "" if str(prefix.parent) == "." else str(prefix.parent)
            shown.append({"filename": name, "subfolder": subfolder, "type": kind})
        return {"images": shown}

    async def _state(self, prompt: Prompt, node: str, value: int, most: int, state: str) -> None:
        nodes = {node: {"value": value, "max": most, "state": state, "node_id": node, "prompt_id": prompt.id}}
        await self._event(prompt, "progress_state", {"prompt_id": prompt.id, "nodes": nodes})

    async def _tell(self, prompt: Prompt, messages: list[list[Any]], kind: str, data: dict[str, Any]) -> None:
        told = {"prompt_id": prompt.id, "timestamp": int(time.time() * 1_000), **data}
        messages.append([kind, told])
        await self._event(prompt, kind, told)

    async def _event(self, prompt: Prompt, kind: str, data: dict[str, Any]) -> None:
        """To the client of the prompt; without one to nobody."""
        if client := prompt.extra.get("client_id"):
            await self.send(kind, data, client)


def signature(graph: dict[str, Any], node: str) -> str:
    """Equal for nodes that give the same: ComfyUI then takes the old outcome, names of files included."""
    given = {
        key: [signature(graph, value[0]), value[1]] if isinstance(value, list) else value
        for key, value in graph[node].get("inputs", {}).items()
    }
    return json.dumps([graph[node]["class_type"], given], sort_keys=True)


def _filled(inputs: dict[str, Any], values: dict[str, tuple[object, ...]]) -> dict[str, Any]:
    return {key: values[value[0]][value[1]] if isinstance(value, list) else value for key, value in inputs.items()}
