"""How good emojis with probabilities are, judged by the emojis of what images really show."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from windmill.kernels.votes.emojis import SPECIAL, group_of

LEFT_OUT = SPECIAL | {"🧍", "🚶"}
"""What only specialists name, or only captions that tell what somebody does."""
_BINS = 10

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """One image: how likely each named emoji is, which are listed and which true, and how many true are unnamed."""

    chances: tuple[float, ...]
    listed: tuple[bool, ...]
    true: tuple[bool, ...]
    unnamed: int


def judge(chances: Mapping[str, float], listed: Collection[str], truth: Collection[str]) -> Judged:
    """Emojis of the truth are taken as groups; those of the vote are groups."""
    groups = {group for emoji in truth if (group := group_of(emoji))} - LEFT_OUT
    named = sorted(emoji for emoji in chances if emoji not in LEFT_OUT)
    true = tuple(emoji in groups for emoji in named)
    return Judged(
        tuple(chances[emoji] for emoji in named),
        tuple(emoji in listed for emoji in named),
        true,
        len(groups) - sum(true),
    )


def figures(images: Sequence[Judged]) -> dict[str, float]:
    """Over the emojis of all images together; what nobody named counts as not found, and in nothing else."""
    chances = np.asarray([chance for image in images for chance in image.chances], dtype=np.float64)
    listed = np.asarray([is_listed for image in images for is_listed in image.listed], dtype=bool)
    true = np.asarray([is_true for image in images for is_true in image.true], dtype=np.float64)
    truths = float(true.sum()) + sum(image.unnamed for image in images)
    found = float(true[listed].sum())
    precision, recall = found / max(int(listed.sum()), 1), found / max(truths, 1)
    return {
        "precision": precision,
        "recall": recall,
        "F1": 2 * precision * recall / max(precision + recall, 1e-9),
        "AP": _average_precision(chances, true, truths),
        "ECE": _calibration_error(chances, true),
        "Brier": float(np.mean((chances - true) ** 2)) if len(true) else 0.0,
    }


def _average_precision(chances: Floats, true: Floats, truths: float) -> float:
    """Equal chances are one step, so that their order does not matter."""
    levels, level = np.unique(-chances, return_inverse=True)
    hits = np.bincount(level, weights=true, minlength=len(levels))
    shown = np.cumsum(np.bincount(level, minlength=len(levels)))
    return float(np.sum(hits * np.cumsum(hits) / np.maximum(shown, 1)) / max(truths, 1))


def _calibration_error(chances: Floats, true: Floats) -> float:
    """Mean distance between what is said and what is so, over ten bins of chances."""
    bins = np.minimum((chances * _BINS).astype(np.int64), _BINS - 1)
    gaps = np.bincount(bins, weights=true - chances, minlength=_BINS)
    return float(np.abs(gaps).sum() / max(len(chances), 1))
