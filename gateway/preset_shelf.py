"""The presets and engines of this installation, read again every few seconds: one that is added needs no restart."""

import asyncio
import time
from collections.abc import Callable, Collection

from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.engines.configuration import AUDIO
from windmill.engines.registry import configured_engines
from windmill.pipelines.presets.preset_library import PresetLibrary, load_presets

BELIEVED_SECONDS = 5.0


class PresetShelf:
    """Mutable."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock = settings, clock
        self._library = PresetLibrary()
        self._engines: Collection[str] | None = None
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def library(self) -> PresetLibrary:
        await self._refresh()
        return self._library

    async def engines(self) -> Collection[str] | None:
        """The names of the engines that are configured here; None where that has mistakes, as workers say."""
        await self._refresh()
        return self._engines

    async def _refresh(self) -> None:
        async with self._reading:
            if self._clock() - self._read_at >= BELIEVED_SECONDS:
                self._library = await asyncio.to_thread(load_presets, self._settings.presets_dir)
                self._engines = await asyncio.to_thread(_names, self._settings)
                self._read_at = self._clock()


def _names(settings: Settings) -> Collection[str] | None:
    """Whether the libraries of the engine that hears are installed is a matter of the workers."""
    try:
        return {AUDIO, *configured_engines(settings)}
    except WindmillError:
        return None
