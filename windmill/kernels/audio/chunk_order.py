"""The chunks of a recording: in their order, without duplicates, and which of them one recorder has written in one go.

A browser's MediaRecorder writes a header into the first chunk only; what follows is no file of its own. So chunks
without a header are joined to the one before by their bytes, and files of their own are decoded each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol


class ChunkFacts(Protocol):
    """What is known of a chunk before it is decoded. Numbers begin at 0; times are those that its recorder told."""

    @property
    def number(self) -> int: ...

    @property
    def sha256(self) -> str: ...

    @property
    def start_ms(self) -> int | None: ...

    @property
    def duration_ms(self) -> int | None: ...


@dataclass(frozen=True)
class ChunkOf:
    """A chunk as it is ordered: `whole` is one that can be decoded by itself."""

    facts: ChunkFacts
    whole: bool


class ConflictingChunks(Exception):
    """Two chunks have the same number and other bytes."""


def in_order(chunks: Iterable[ChunkOf]) -> list[ChunkOf]:
    """By their numbers; the same bytes once more are no further chunk."""
    found: dict[int, ChunkOf] = {}
    for chunk in chunks:
        other = found.setdefault(chunk.facts.number, chunk)
        if other.facts.sha256 != chunk.facts.sha256:
            raise ConflictingChunks(f"chunk {chunk.facts.number} is there with two contents")
    return [found[number] for number in sorted(found)]


@dataclass(frozen=True)
class ChunkRun:
    """Chunks that are decoded as one file. `header` is the place of the chunk whose header they need, if theirs is
    missing; `missing` chunks stand before the run."""

    places: Sequence[int]
    missing: int
    header: int | None = None


def runs(chunks: Sequence[ChunkOf]) -> list[ChunkRun]:
    """The runs of chunks in order, which begin where a header is or where a chunk is missing."""
    if not chunks:
        return []
    starts = [0, *(place + 1 for place, (one, two) in enumerate(pairwise(chunks)) if two.whole or _missing(one, two))]
    found = []
    for start, end in pairwise([*starts, len(chunks)]):
        missing = _missing(chunks[start - 1], chunks[start]) if start else _missing_first(chunks[0])
        found.append(ChunkRun(range(start, end), missing, _header_for(chunks, start)))
    return found


def _missing(one: ChunkOf, two: ChunkOf) -> int:
    return two.facts.number - one.facts.number - 1


def _missing_first(first: ChunkOf) -> int:
    """Some recorders count from 1."""
    return max(0, first.facts.number - 1) and first.facts.number


def _header_for(chunks: Sequence[ChunkOf], start: int) -> int | None:
    if chunks[start].whole:
        return None
    return next((place for place in range(start, -1, -1) if chunks[place].whole), None)
