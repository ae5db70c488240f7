"""The engine `audio` with its real models, where they are installed: it hears words in speech only. In CI they have to
be there."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.unit.pipelines.audio_run import AudioRun
from windmill.engines.audio.engine import AudioEngine
from windmill.engines.audio.libraries import MODULES, missing_modules
from windmill.engines.engine import EngineOutput, EngineRequest, OnProgress
from windmill.engines.entries import AudioEntry
from windmill.jobs.step_state import NoBreaker, StepBreaker
from windmill.kernels.audio.pcm import RATE
from windmill.media.audio.wave_files import write_wave

ENTRY = AudioEntry()
SECONDS = 12
TIMES = np.arange(SECONDS * RATE) / RATE

pytestmark = [
    pytest.mark.slow(reason="20 s: models are loaded, and look for words in a minute of sound without any"),
    pytest.mark.skipif(
        os.environ.get("CI") != "true" and any(missing_modules(ENTRY, task) for task in MODULES),
        reason="the libraries that listen are not installed",
    ),
]

Sound = npt.NDArray[np.floating]


def silence() -> Sound:
    return np.zeros(len(TIMES))


def noise() -> Sound:
    return np.random.default_rng(3).normal(0, 900, len(TIMES))


def rumble() -> Sound:
    """Noise that has been through a wall, with the hum of the mains."""
    deep = np.cumsum(np.random.default_rng(4).normal(0, 60, len(TIMES)))
    return np.asarray(deep - np.convolve(deep, np.full(2_000, 1 / 2_000), "same") + 300 * np.sin(314 * TIMES))


def chords() -> Sound:
    """Held chords that swell and change every two seconds."""
    tones = sum(np.sin(2 * np.pi * pitch * (1 + (TIMES // 2 % 4) / 8) * TIMES) for pitch in (220, 277, 330))
    return np.asarray(tones) * 3_000 * (0.6 + 0.4 * np.sin(2 * np.pi * 2 * TIMES))


def melody() -> Sound:
    """Plucked notes with overtones, four in a second, over a drum."""
    notes = np.array([262, 330, 392, 523, 440, 392, 349, 294])[(TIMES * 4).astype(int) % 8]
    since = TIMES * 4 % 1
    plucked = sum(np.sin(2 * np.pi * notes * part * TIMES) / part for part in (1, 2, 3, 4)) * np.exp(-4 * since)
    drum = np.random.default_rng(5).normal(0, 1, len(TIMES)) * np.exp(-60 * (TIMES * 2 % 1))
    return np.asarray(plucked * 4_000 + drum * 5_000)


def vowels() -> Sound:
    """A voice that says four vowels a second: pulses through the resonances of a mouth."""
    pitch = 120 + 15 * np.sin(2 * np.pi * 1.5 * TIMES) + 10 * np.sin(2 * np.pi * 0.4 * TIMES)
    pulses = np.diff(np.floor(np.cumsum(pitch) / RATE), prepend=0)
    mouths = ((730, 1_090, 2_440), (270, 2_290, 3_010), (300, 870, 2_240), (530, 1_840, 2_480))
    found = np.zeros(len(TIMES))
    for place, mouth in enumerate(mouths):
        own = pulses * ((TIMES * 4).astype(int) % 4 == place)
        for hertz, width in zip(mouth, (80, 100, 140), strict=True):
            rings = np.exp(-np.pi * width * TIMES[:1_600]) * np.sin(2 * np.pi * hertz * TIMES[:1_600])
            found += np.convolve(own, rings)[: len(TIMES)]
    found *= np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * 4 * TIMES))
    return np.asarray(found / np.abs(found).max() * 8_000)


@dataclass(frozen=True)
class RealEngines:
    """As a step sees the engine."""

    engine: AudioEngine
    breaker: StepBreaker = field(default_factory=NoBreaker)

    def version_of(self, name: str) -> str:
        return ""

    async def run(
        self, name: str, request: EngineRequest, on_progress: OnProgress, cancelled: asyncio.Event
    ) -> EngineOutput:
        assert name == self.engine.name
        return await self.engine.run(request, on_progress, cancelled)


@pytest.fixture
async def engines() -> AsyncIterator[RealEngines]:
    engine = AudioEngine("audio", ENTRY, {})
    yield RealEngines(engine)
    await engine.close()


async def heard(engines: RealEngines, folder: Path, sound: Sound) -> AudioRun:
    run = AudioRun(folder / "run", engines)
    await run.join(write_wave(folder / "talk.wav", np.asarray(np.clip(sound, -32_768, 32_767), np.int16)))
    await run.listen(("audio",))
    return run


@pytest.mark.parametrize("sound", [silence, noise, rumble, chords, melody], ids=lambda made: made.__name__)
async def test_silence_noise_and_music_give_no_words_and_no_speakers(
    engines: RealEngines, tmp_path: Path, sound: Callable[[], Sound]
) -> None:
    run = await heard(engines, tmp_path, sound())
    assert run.document("audio_vad", "speech.json") == []
    assert run.document("audio_attribute", "transcript.json") == {"speakers": [], "words": []}


async def test_a_voice_is_speech_to_the_same_models(engines: RealEngines, tmp_path: Path) -> None:
    run = await heard(engines, tmp_path, vowels())
    assert run.document("audio_vad", "speech.json")
    assert [one["label"] for one in run.document("audio_attribute", "transcript.json")["speakers"]] == ["SPEAKER_00"]
