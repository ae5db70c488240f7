"""The presets of this installation, read again every few seconds: one that is added needs no restart."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from windmill.pipelines.presets.preset_library import PresetLibrary, load_presets

BELIEVED_SECONDS = 5.0


class PresetShelf:
    """Mutable."""

    def __init__(self, own: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._own, self._clock = own, clock
        self._library = PresetLibrary()
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def library(self) -> PresetLibrary:
        async with self._reading:
            if self._clock() - self._read_at >= BELIEVED_SECONDS:
                self._library = await asyncio.to_thread(load_presets, self._own)
                self._read_at = self._clock()
        return self._library
