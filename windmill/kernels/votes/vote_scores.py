"""Evaluation of voted emojis against true emojis: precision, recall, AP, calibration error."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from windmill.kernels.votes.emojis import SPECIAL, group_of

LEFT_OUT = SPECIAL | {"🧍", "🚶"}
"""Emojis excluded from the evaluation: only specialists or captions of actions name them."""
_BINS = 10

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class JudgedVote:
    """One image: for each named emoji its probability, whether it is listed and true; and the number of missed ones."""

    chances: tuple[float, ...]
    listed: tuple[bool, ...]
    true: tuple[bool, ...]
    unnamed: int


def judge_vote(chances: Mapping[str, float], listed: Collection[str], truth: Collection[str]) -> JudgedVote:
    """Evaluate one image; true emojis are converted to groups, those of the vote are groups."""
    groups = {group for emoji in truth if (group := group_of(emoji))} - LEFT_OUT
    named = sorted(emoji for emoji in chances if emoji not in LEFT_OUT)
    true = tuple(emoji in groups for emoji in named)
    return JudgedVote(
        tuple(chances[emoji] for emoji in named),
        tuple(emoji in listed for emoji in named),
        true,
        len(groups) - sum(true),
    )


def figures(images: Sequence[JudgedVote]) -> dict[str, float]:
    """Metrics over all images together; an unnamed true emoji only lowers recall and AP."""
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
    """Equal probabilities form one step, so that their order does not matter."""
    levels, level = np.unique(-chances, return_inverse=True)
    hits = np.bincount(level, weights=true, minlength=len(levels))
    shown = np.cumsum(np.bincount(level, minlength=len(levels)))
    return float(np.sum(hits * np.cumsum(hits) / np.maximum(shown, 1)) / max(truths, 1))


def _calibration_error(chances: Floats, true: Floats) -> float:
    """Expected calibration error over ten bins of probabilities."""
    bins = np.minimum((chances * _BINS).astype(np.int64), _BINS - 1)
    gaps = np.bincount(bins, weights=true - chances, minlength=_BINS)
    return float(np.abs(gaps).sum() / max(len(chances), 1))
