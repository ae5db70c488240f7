"""Joins the chunks of a recording to one WAV file that keeps its time: what is missing is silence of its length, and
what two recorders have both written is there once.

Runs of chunks are decoded each, and then written one after the other, a block at a time."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import IO, Protocol

import numpy as np

from windmill.core.errors import WindmillError
from windmill.kernels.audio.alignment import overlap_of
from windmill.kernels.audio.chunk_order import ChunkFacts, ChunkOf, ChunkRun, ConflictingChunks, in_order, runs
from windmill.kernels.audio.pcm import RATE, LevelMeter, Pcm, SoundLevels, as_floats
from windmill.kernels.audio.sound_outline import SoundOutline
from windmill.kernels.audio.spans import Span, merged
from windmill.media.audio.containers import continuation_of, header_of, is_file_of_its_own
from windmill.media.audio.decoding import AudioTools, decode
from windmill.media.audio.wave_files import WaveWriter, blocks, open_samples, writing_wave
from windmill.media.video.containers import read_head

USUAL_SECONDS = 30.0
"""Of a chunk of which nothing is known."""
_HEADER_BYTES = 4 * 1024 * 1024
_TOLERANCE = RATE // 20
_SEARCH = RATE // 2
_MOST_OVERLAP = 3 * RATE
OnShare = Callable[[float], None]


class Decodes(Protocol):
    """Writes the samples of a file, and tells how many there are."""

    def __call__(self, tools: AudioTools, path: Path, target: Path, *, joined: bool = False) -> int: ...


@dataclass(frozen=True)
class ChunkFile:
    """A chunk that was sent, and where its bytes lie."""

    facts: ChunkFacts
    path: Path


@dataclass(frozen=True)
class JoinedTalk:
    """A recording as one file. `gaps` are where nothing was recorded, or nothing can be decoded; `outline` is how loud
    it is over its time."""

    path: Path
    seconds: float
    gaps: Sequence[Span]
    levels: SoundLevels
    outline: Sequence[float] = ()
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class _Part:
    """A run of chunks, decoded; without samples if that failed."""

    run: ChunkRun
    chunks: Sequence[ChunkFacts]
    path: Path
    samples: int

    @property
    def start(self) -> int | None:
        """Where it begins by the clock of its recorder."""
        told = self.chunks[0].start_ms
        return None if told is None else told * RATE // 1_000

    def chunk_samples(self) -> float | None:
        return self.samples / len(self.chunks) if self.samples else None


def join_chunks(
    tools: AudioTools,
    given: Sequence[ChunkFile],
    folder: Path,
    on_share: OnShare,
    expected: int = 0,
    decodes: Decodes = decode,
) -> JoinedTalk:
    """Raises AUDIO_UNREADABLE if nothing of it can be decoded, CONFLICT if two chunks have one number. Of `expected`
    chunks those that are missing at the end are a gap as well."""
    if not given:
        raise WindmillError("AUDIO_UNREADABLE", "nothing was recorded")
    files = {id(one.facts): one.path for one in given}
    try:
        ordered = in_order(ChunkOf(one.facts, is_file_of_its_own(read_head(one.path))) for one in given)
    except ConflictingChunks as error:
        raise WindmillError("CONFLICT", str(error)) from error
    paths = [files[id(chunk.facts)] for chunk in ordered]
    decoding = _Decoding(tools, decodes, [chunk.facts for chunk in ordered], paths, folder)
    found = runs(ordered)
    parts = []
    for number, run in enumerate(found):
        parts.append(decoding.part(run, number))
        on_share(0.8 * (number + 1) / len(found))
    if not any(part.samples for part in parts):
        raise decoding.failures[0]
    last = ordered[-1].facts.number
    return _written(parts, folder / "talk.wav", decoding.warnings, max(0, expected - last - 1), tools.most_samples)


@dataclass(frozen=True)
class _Decoding:
    """Decodes runs of chunks, and notes what fails: a chunk that is broken is a gap, and never shifts the others."""

    tools: AudioTools
    decodes: Decodes
    chunks: Sequence[ChunkFacts]
    paths: Sequence[Path]
    folder: Path
    warnings: list[str] = field(default_factory=list)
    failures: list[WindmillError] = field(default_factory=list)

    def part(self, run: ChunkRun, number: int) -> _Part:
        chunks, target = [self.chunks[place] for place in run.places], self.folder / f"run_{number:05d}.pcm"
        source, joined = self._source(run, number)
        try:
            samples = self.decodes(self.tools, source, target, joined=joined)
        except WindmillError as error:
            if error.code != "AUDIO_UNREADABLE":
                raise
            self.failures.append(error)
            self.warnings.append(f"{_named(chunks)} cannot be decoded: {error.message}")
            samples = 0
        if joined:
            source.unlink()
        return _Part(run, chunks, target, samples)

    def _source(self, run: ChunkRun, number: int) -> tuple[Path, bool]:
        """The file of a run, joined by bytes if it is more than one chunk."""
        if len(run.places) == 1 and run.header is None:
            return self.paths[run.places[0]], False
        target = self.folder / f"run_{number:05d}.joined"
        with target.open("wb") as file:
            paths = [self.paths[place] for place in run.places]
            if run.header is not None:
                paths = _write_header(file, self.paths[run.header], paths)
            for path in paths:
                with path.open("rb") as chunk:
                    shutil.copyfileobj(chunk, file, 1024 * 1024)
        return target, True


def _write_header(file: IO[bytes], first: Path, paths: Sequence[Path]) -> list[Path]:
    """The header of the recorder, and behind it the first chunk of which something can be read; the chunks after it."""
    with first.open("rb") as whole:
        header = header_of(whole.read(_HEADER_BYTES))
    file.write(header)
    for number, path in enumerate(paths, 1):
        if found := continuation_of(header, path.read_bytes()):
            file.write(found)
            return list(paths[number:])
    return []


def _named(chunks: Sequence[ChunkFacts]) -> str:
    first, last = chunks[0].number, chunks[-1].number
    return f"chunk {first}" if first == last else f"chunks {first} to {last}"


def _written(
    parts: Sequence[_Part], target: Path, warnings: Sequence[str], missing_at_end: int, most: int
) -> JoinedTalk:
    lengths = [length for part in parts if (length := part.chunk_samples())]
    usual = round(median(lengths)) if lengths else round(USUAL_SECONDS * RATE)
    with writing_wave(target) as writer:
        timeline = _Timeline(writer, usual, most)
        for part in parts:
            timeline.add(part)
            part.path.unlink(missing_ok=True)
        timeline.silence(missing_at_end * usual)
        levels, outline = timeline.meter.levels(), timeline.outline.steps()
        return JoinedTalk(target, writer.samples / RATE, merged(timeline.gaps), levels, outline, warnings)


class _Timeline:
    """What is written so far. Mutable."""

    def __init__(self, writer: WaveWriter, usual: int, most: int) -> None:
        self._writer = writer
        self._usual = usual
        self._most = most
        self._tail: Pcm = np.zeros(0, np.int16)
        self._origin: int | None = None
        self.gaps: list[Span] = []
        self.meter = LevelMeter()
        self.outline = SoundOutline()

    def add(self, part: _Part) -> None:
        overlap = self._place(part)
        if not part.samples:
            told = [chunk.duration_ms for chunk in part.chunks]
            self.silence(sum(self._usual if one is None else one * RATE // 1_000 for one in told))
            return
        for number, sound in enumerate(blocks(open_samples(part.path))):
            self._write(sound if number else self._after(sound, part, overlap))

    def silence(self, samples: int) -> None:
        """A gap."""
        if samples <= 0:
            return
        start = self._writer.samples
        self._must_fit(samples)
        for size in _sizes(samples):
            nothing = np.zeros(size, np.int16)
            self._writer.write(nothing)
            self.outline.feed(nothing)
        end = self._writer.samples
        self.gaps.append((round(start / RATE, 3), round(end / RATE, 3)))
        self._tail = np.zeros(0, np.int16)

    def _place(self, part: _Part) -> int:
        """Fill up to where the part begins; how many of its samples are there already by the clocks."""
        at, start = self._writer.samples, part.start
        if start is None:
            self.silence(part.run.missing * self._usual)
            return 0
        if self._origin is None:
            self._origin = start - (part.run.missing * self._usual if part.run.missing else 0)
        distance = start - self._origin - at
        if part.run.missing or distance > _TOLERANCE:
            self.silence(distance)
        return min(-distance, _MOST_OVERLAP) if distance < -_TOLERANCE and not part.run.missing else 0

    def _after(self, sound: Pcm, part: _Part, told: int) -> Pcm:
        """The part without what is there already."""
        if not told or part.start is None:
            return sound
        found = overlap_of(as_floats(self._tail), as_floats(sound[: told + _SEARCH]), told, _SEARCH)
        return sound[found.samples :]

    def _write(self, sound: Pcm) -> None:
        self._must_fit(len(sound))
        self._writer.write(sound)
        self.meter.feed(sound)
        self.outline.feed(sound)
        self._tail = np.concatenate([self._tail, sound])[-(_MOST_OVERLAP + _SEARCH) :]

    def _must_fit(self, samples: int) -> None:
        if self._writer.samples + samples > self._most:
            said = f"it takes over MAX_AUDIO_SECONDS={self._most // RATE} with its gaps"
            raise WindmillError("AUDIO_TOO_LARGE", said)


def _sizes(samples: int) -> list[int]:
    """The sizes of blocks of silence."""
    ends = [*range(RATE * 60, samples, RATE * 60), samples]
    return [end - start for start, end in zip([0, *ends[:-1]], ends, strict=True)]
