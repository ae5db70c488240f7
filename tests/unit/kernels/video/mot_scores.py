"""How good tracks are, by the usual definitions: MOTA (Bernardin and Stiefelhagen 2008) and IDF1 (Ristani et al. 2016).
Two boxes agree if their intersection over union is a half at least."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from windmill.kernels.boxes.geometry import Floats, corners, ious
from windmill.kernels.video.assignment import assign
from windmill.kernels.video.tracking import PixelBox

Named = Mapping[str, PixelBox]
_LEAST = 0.5


@dataclass(frozen=True)
class MotScores:
    """`misses` are true boxes that were not found, `false` found ones that are not true, `switches` the times when
    another track took over a thing."""

    mota: float
    idf1: float
    misses: int
    false: int
    switches: int


def mot_scores(truth: Sequence[Named], found: Sequence[Named]) -> MotScores:
    """Frame by frame, who is there and who was found, by name."""
    misses = false = switches = 0
    last: dict[str, str] = {}
    for true, seen in zip(truth, found, strict=True):
        pairs = _pairs(true, seen, last)
        switches += sum(name in last and last[name] != other for name, other in pairs.items())
        last |= pairs
        misses, false = misses + len(true) - len(pairs), false + len(seen) - len(pairs)
    boxes = sum(map(len, truth))
    return MotScores(1 - (misses + false + switches) / boxes, _idf1(truth, found), misses, false, switches)


def _likeness(true: Named, seen: Named) -> Floats:
    return ious(corners(list(true.values())), corners(list(seen.values())))


def _pairs(true: Named, seen: Named, last: Mapping[str, str]) -> dict[str, str]:
    """What agreed before and still does stays together; the rest is paired as well as it can be."""
    like = _likeness(true, seen)
    rows, columns = list(true), list(seen)
    kept = {
        row: last[row]
        for row in rows
        if last.get(row) in seen and like[rows.index(row), columns.index(last[row])] >= _LEAST
    }
    free = [place for place, row in enumerate(rows) if row not in kept]
    others = [place for place, column in enumerate(columns) if column not in kept.values()]
    found = assign(1 - like[np.ix_(free, others)], 1 - _LEAST + 1e-9)
    return kept | {rows[free[row]]: columns[others[column]] for row, column in found}


def _idf1(truth: Sequence[Named], found: Sequence[Named]) -> float:
    """Each thing has one track at most, chosen for the whole video."""
    together: Counter[tuple[str, str]] = Counter()
    for true, seen in zip(truth, found, strict=True):
        like = _likeness(true, seen)
        together.update(
            (row, column)
            for place, row in enumerate(true)
            for other, column in enumerate(seen)
            if like[place, other] >= _LEAST
        )
    rows, columns = (sorted({name for frame in frames for name in frame}) for frames in (truth, found))
    if not columns:
        return 0.0
    costs = np.array([[-float(together[row, column]) for column in columns] for row in rows])
    right = sum(together[rows[row], columns[column]] for row, column in assign(costs, 0.0))
    return 2 * right / (sum(map(len, truth)) + sum(map(len, found)))
