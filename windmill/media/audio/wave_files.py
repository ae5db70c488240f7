"""Parts of WAV files with 16-bit samples at 16 kHz, one channel. A file of any length is mapped, and not read."""

import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from windmill.core.errors import WindmillError
from windmill.kernels.audio.pcm import RATE, SAMPLE_BYTES, Pcm
from windmill.kernels.audio.spans import Span

MEDIA_TYPE = "audio/wav"
BLOCK = 30 * RATE


def open_samples(path: Path) -> Pcm:
    """The samples of a file, without its header."""
    return np.memmap(path, np.int16, "r") if path.stat().st_size >= SAMPLE_BYTES else np.zeros(0, np.int16)


def open_wave(path: Path) -> Pcm:
    """The samples of a WAV file that Windmill has written."""
    try:
        with path.open("rb") as file, wave.open(file) as opened:
            if (opened.getframerate(), opened.getnchannels(), opened.getsampwidth()) != (RATE, 1, SAMPLE_BYTES):
                raise WindmillError("AUDIO_UNREADABLE", f"{path.name} is no WAV file of 16 kHz, one channel, 16 bits")
            count, place = opened.getnframes(), file.tell()
    except (wave.Error, EOFError) as error:
        raise WindmillError("AUDIO_UNREADABLE", f"{path.name} is no WAV file: {error}") from error
    return np.memmap(path, np.int16, "r", place, (count,)) if count else np.zeros(0, np.int16)


def blocks(sound: Pcm, size: int = BLOCK) -> Iterator[Pcm]:
    for start in range(0, len(sound), size):
        yield np.asarray(sound[start : start + size])


def part(sound: Pcm, span: Span) -> Pcm:
    """The samples of a stretch, in seconds."""
    return np.asarray(sound[round(span[0] * RATE) : round(span[1] * RATE)])


class WaveWriter:
    """Writes samples as they come. Mutable."""

    def __init__(self, file: wave.Wave_write) -> None:
        self._file = file
        self.samples = 0

    def write(self, sound: Pcm) -> None:
        self._file.writeframesraw(np.ascontiguousarray(sound, "<i2").tobytes())
        self.samples += len(sound)


@contextmanager
def writing_wave(path: Path) -> Iterator[WaveWriter]:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(SAMPLE_BYTES)
        file.setframerate(RATE)
        yield WaveWriter(file)


def write_wave(path: Path, sound: Pcm) -> Path:
    with writing_wave(path) as writer:
        writer.write(sound)
    return path
