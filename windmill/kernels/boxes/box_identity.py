"""Stable box keys: when an image is merged again, boxes keep their keys, and with them their enrichment."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import count
from typing import Protocol

import numpy as np

from windmill.kernels.boxes.geometry import Floats, corners, ious

SAME = 0.8
"""The IoU from which two crops show services the same."""

Place = tuple[int, int, int, int]
"""x, y, width, height in pixels."""


@dataclass(frozen=True)
class KnownBox:
    """A box of the previous merge. Its anchor is where it was when its key was created.

    Matching uses the anchor, so that a key cannot drift over the image in small steps.
    """

    key: str
    label: str
    anchor: Sequence[int]


class BoxLike(Protocol):
    """A box of the current merge."""

    @property
    def label(self) -> str: ...
    @property
    def box(self) -> Place: ...


def carry_over_keys(old: Sequence[KnownBox], new: Sequence[BoxLike]) -> list[tuple[str, Place]]:
    """The key and the anchor of each new box: those of the nearest old box, or new ones.

    Matches the nearest pairs first; each old key goes to at most one box. The order of old boxes does not matter.
    """
    known = sorted((one for one in old if len(one.anchor) == 4), key=lambda one: (one.key, one.label, *one.anchor))
    found: dict[int, tuple[str, Place]] = {}
    passed_on: set[str] = set()
    for mine, theirs in _near(known, new):
        box = known[theirs]
        if mine not in found and box.key not in passed_on:
            passed_on.add(box.key)
            x, y, width, height = box.anchor
            found[mine] = box.key, (x, y, width, height)
    taken = {one.key for one in old}
    return [found.get(place) or (_fresh(box, taken), box.box) for place, box in enumerate(new)]


def _near(known: Sequence[KnownBox], new: Sequence[BoxLike]) -> Iterator[tuple[int, int]]:
    """Pairs of a new and a known box that may match, the nearest first."""
    overlaps = ious(_corners(box.box for box in new), _corners(box.anchor for box in known))
    pairs = [(int(mine), int(theirs)) for mine, theirs in np.argwhere(overlaps >= SAME)]
    pairs.sort(key=lambda pair: (-overlaps[pair], pair))
    return ((mine, theirs) for mine, theirs in pairs if new[mine].label == known[theirs].label)


def _corners(places: Iterable[Sequence[int]]) -> Floats:
    return corners(list(places))


def _fresh(box: BoxLike, taken: set[str]) -> str:
    """A key derived from the box; a number distinguishes identical boxes."""
    for number in count():
        name = "|".join(map(str, (box.label, *box.box, *([number] if number else []))))
        key = blake2b(name.encode("utf-8", "replace"), digest_size=8).hexdigest()
        if key not in taken:
            break
    taken.add(key)
    return key
