"""Which voice of a new transcript is which of the one before, and who said a word of a voice that was split."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

from windmill.kernels.text.spoken_words import SpokenWord

K = TypeVar("K")
SLOT = 0.1
"""Seconds."""


def same_speakers(before: Sequence[SpokenWord], after: Sequence[SpokenWord]) -> Mapping[str, str]:
    """For labels of `after` the label of `before` with which they share most time, each once, the surest first."""
    old, new = _slots(before), _slots(after)
    shared = Counter((label, old[slot]) for slot, label in new.items() if slot in old)
    found: dict[str, str] = {}
    for (label, former), _ in sorted(shared.items(), key=lambda one: (-one[1], one[0])):
        if label not in found and former not in found.values():
            found[label] = former
    return found


def _slots(words: Sequence[SpokenWord]) -> Mapping[int, str]:
    """Who speaks, in steps of a tenth of a second."""
    return {
        slot: word.speaker
        for word in words
        for slot in range(round(word.t0 / SLOT), max(round(word.t1 / SLOT), round(word.t0 / SLOT) + 1))
    }


@dataclass(frozen=True)
class VoicePart(Generic[K]):
    """A speaker: all that a label says, or what it says from `t0` to before `t1`."""

    key: K
    label: str
    t0: float | None = None
    t1: float | None = None


class Voices(Generic[K]):
    """Whose a word is. A part that was split off goes before the whole."""

    def __init__(self, parts: Sequence[VoicePart[K]]) -> None:
        self._whole = {part.label: part.key for part in parts if part.t0 is None}
        self._parts: dict[str, list[VoicePart[K]]] = defaultdict(list)
        for part in parts:
            if part.t0 is not None:
                self._parts[part.label].append(part)

    def owner(self, label: str, at: float) -> K | None:
        """None if nobody has the label."""
        for part in self._parts.get(label, ()):
            if part.t0 is not None and part.t1 is not None and part.t0 <= at < part.t1:
                return part.key
        return self._whole.get(label)

    def owners(self, label: str, t0: float, t1: float) -> list[tuple[K, float, float]]:
        """Who says what the label says from `t0` to `t1`: cut where parts begin and end."""
        edges = {edge for part in self._parts.get(label, ()) for edge in (part.t0, part.t1) if edge is not None}
        times = [t0, *sorted(edge for edge in edges if t0 < edge < t1), t1]
        cuts = ((self.owner(label, start), start, end) for start, end in pairwise(times))
        return [(owner, start, end) for owner, start, end in cuts if owner is not None]
