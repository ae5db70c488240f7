"""Which box is which after images are merged again: a box keeps its key, and with it what was found out about it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import count
from typing import Protocol

import numpy as np

from windmill.kernels.boxes.geometry import Floats, corners, ious

SAME = 0.8
"""A box that overlaps so much (intersection over union) shows a crop on which services would see the same."""

Place = tuple[int, int, int, int]
"""x, y, width, height in pixels."""


@dataclass(frozen=True)
class KnownBox:
    """A box of before; its anchor is where it was when its key was made.

    Nearness is measured from there, so that a key does not travel over the image in small steps.
    """

    key: str
    label: str
    anchor: Sequence[int]


class Named(Protocol):
    """A box of now."""

    @property
    def label(self) -> str: ...
    @property
    def box(self) -> Place: ...


def inherit(old: Sequence[KnownBox], new: Sequence[Named]) -> list[tuple[str, Place]]:
    """The key and the anchor of each new box: those of the old one that is nearest, or fresh ones.

    Nearest pairs come first; each old key goes to one box at most. The order of the old ones does not matter.
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


def _near(known: Sequence[KnownBox], new: Sequence[Named]) -> Iterator[tuple[int, int]]:
    """Pairs of a new and a known box that may be the same, the nearest first."""
    overlaps = ious(_corners(box.box for box in new), _corners(box.anchor for box in known))
    pairs = [(int(mine), int(theirs)) for mine, theirs in np.argwhere(overlaps >= SAME)]
    pairs.sort(key=lambda pair: (-overlaps[pair], pair))
    return ((mine, theirs) for mine, theirs in pairs if new[mine].label == known[theirs].label)


def _corners(places: Iterable[Sequence[int]]) -> Floats:
    return corners(list(places))


def _fresh(box: Named, taken: set[str]) -> str:
    """A key that follows from what the box is; a number tells it from others that are the same."""
    for number in count():
        name = "|".join(map(str, (box.label, *box.box, *([number] if number else []))))
        key = blake2b(name.encode("utf-8", "replace"), digest_size=8).hexdigest()
        if key not in taken:
            break
    taken.add(key)
    return key
