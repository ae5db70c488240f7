"""An engine without a model, for tests and demonstrations. It draws a picture from prompt, style and seed; the same
request always gives the same pixels. It says what it is in its facts and in the picture itself. How it listens is in
builtin_ears."""

import asyncio
import hashlib
import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from windmill.core.errors import WindmillError
from windmill.engines.builtin_ears import LISTENING, SAYS, listen
from windmill.engines.cancelling import until_cancelled
from windmill.engines.engine import EngineHealth, EngineKind, EngineOutput, EngineRequest, JsonValue, OnProgress
from windmill.engines.outputs import gather, prepare
from windmill.engines.process.arguments import DEFAULT_STYLE, seed_of
from windmill.kernels.video.styles import STYLES
from windmill.media.image.decode_check import open_image

DISCLAIMER = "drawn from prompt and seed by Windmill's built-in engine; no model was asked"
NAME, FILTERS_FILE = "image.png", "filters.json"
RESTYLE = "restyle_video"
"""The task that videos are given with."""
SIDES = (16, 4_096)
_SIDE = 512
_WAVES = 5
_STEPS = 5
_MAX_PIXELS = 178_956_970
Canvas = npt.NDArray[np.float32]


class BuiltinEngine:
    """Draws in a thread, and reports 0, 20, 40 ... 100 per cent."""

    kind: EngineKind = "builtin"

    def __init__(self, name: str) -> None:
        self.name = name

    async def check(self) -> EngineHealth:
        return EngineHealth(True, DISCLAIMER, {"simulated": True})

    async def run(self, request: EngineRequest, on_progress: OnProgress, cancelled: asyncio.Event) -> EngineOutput:
        loop, stop = asyncio.get_running_loop(), threading.Event()

        def tell(progress: float) -> None:
            loop.call_soon_threadsafe(on_progress, progress)

        try:
            await until_cancelled(asyncio.to_thread(_make, request, tell, stop), cancelled)
        finally:
            stop.set()
        files = await asyncio.to_thread(gather, request.out, request)
        return EngineOutput(files, self._facts(request))

    async def close(self) -> None:
        """It holds nothing."""

    def _facts(self, request: EngineRequest) -> dict[str, JsonValue]:
        seed, says = seed_of(request.parameters), SAYS.get(str(request.parameters.get("task")), DISCLAIMER)
        return {"engine": self.name, "kind": self.kind, "simulated": True, "says": says, "seed": seed}


def _make(request: EngineRequest, tell: OnProgress, stop: threading.Event) -> None:
    prepare(request)
    task = request.parameters.get("task")
    if isinstance(task, str) and task in LISTENING:
        listen(request, task)
        return
    if task == RESTYLE:
        _say_filters(request)
        return
    width, height = _side(request, "width"), _side(request, "height")
    dice = np.random.default_rng(_digest(request))
    tell(0.0)
    canvas = np.zeros((height, width, 3), np.float32)
    for step in range(1, _STEPS):
        if stop.is_set():
            return
        canvas += _waves(dice, width, height)
        tell(step / _STEPS)
    _save(_with_input(_stretched(canvas), request.main_input), request)
    tell(1.0)


def _say_filters(request: EngineRequest) -> None:
    """Videos are drawn by the step itself, frame by frame; what it is told is how."""
    style, seed = str(request.parameters.get("style") or DEFAULT_STYLE), seed_of(request.parameters)
    if style not in STYLES:
        raise WindmillError("USAGE", f"there is no style {style!r:.60}; there are {', '.join(STYLES)}")
    (request.out / FILTERS_FILE).write_bytes(orjson.dumps({"style": style, "style_seed": seed}))


def _digest(request: EngineRequest) -> list[int]:
    """What decides the picture, as the seed of a generator."""
    style = request.parameters.get("style") or DEFAULT_STYLE
    decisive = [request.parameters.get("prompt") or "", style, seed_of(request.parameters)]
    return list(hashlib.sha256(repr(decisive).encode("utf-8", "surrogatepass")).digest())


def _side(request: EngineRequest, name: str) -> int:
    side = request.parameters.get(name, _SIDE)
    if isinstance(side, bool) or not isinstance(side, int) or not SIDES[0] <= side <= SIDES[1]:
        raise WindmillError("USAGE", f"{name} is {side!r}; it must be a whole number from {SIDES[0]} to {SIDES[1]}")
    return side


def _waves(dice: np.random.Generator, width: int, height: int) -> Canvas:
    """A few plane waves, each of a colour of its own."""
    across, down = np.linspace(0, 1, width, dtype=np.float32), np.linspace(0, 1, height, dtype=np.float32)[:, None]
    canvas = np.zeros((height, width, 3), np.float32)
    for _ in range(_WAVES):
        turns, phase, color = dice.uniform(-6, 6, 2), dice.uniform(0, 2 * np.pi), dice.uniform(0, 1, 3)
        wave = np.sin((2 * np.pi * (turns[0] * across + turns[1] * down) + phase).astype(np.float32))
        canvas += wave[..., None] * color.astype(np.float32)
    return canvas


def _stretched(canvas: Canvas) -> Image.Image:
    low, high = float(canvas.min()), float(canvas.max())
    return Image.fromarray(np.uint8((canvas - low) * (255 / ((high - low) or 1))))


def _with_input(drawn: Image.Image, source: Path | None) -> Image.Image:
    """The input shines through: what is made of a picture depends on it."""
    if source is None:
        return drawn
    with open_image(source.read_bytes(), _MAX_PIXELS) as image:
        return Image.blend(image.convert("RGB").resize(drawn.size), drawn, 0.5)


def _save(image: Image.Image, request: EngineRequest) -> None:
    words = PngInfo()
    words.add_text("Comment", DISCLAIMER)
    image.save(request.out / NAME, pnginfo=words, compress_level=1)
