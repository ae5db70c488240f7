"""How likely a group of detections is an object of its label: evidence is added up in log-odds."""

from dataclasses import dataclass

import numpy as np

from windmill.kernels.boxes.box_calibration import BoxCalibration
from windmill.kernels.boxes.clusters import Ints
from windmill.kernels.boxes.geometry import Floats
from windmill.kernels.boxes.grouping import Groups

_TYPICAL_SIDE = 64.0
"""Pixels; about that of things of middling size."""
_LEAST_SHARE, _MOST_SHARE = 0.2, 2.0
"""Silence never counts for less or more than these shares of itself, whatever the size."""
_MOST_ODDS = 15.0


@dataclass(frozen=True)
class Constants:
    """A calibration as arrays over the services (k,), beside those that all share."""

    least: Floats
    offset: Floats
    slope: Floats
    silence: Floats
    agreement: float
    damping: float
    size: float
    part: float

    @classmethod
    def of(cls, calibration: BoxCalibration, services: tuple[str, ...]) -> "Constants":
        return cls(
            calibration.column("least", services),
            calibration.column("offset", services),
            calibration.column("slope", services),
            calibration.column("silence", services),
            calibration.agreement,
            calibration.damping,
            calibration.size,
            calibration.part,
        )


def log_odds(groups: Groups, constants: Constants) -> Floats:
    """For each group, without regard to its rivals, shape (c,).

    1. Each member stands for what its service's boxes of such a confidence are worth when nobody else was asked.
    2. The best of them counts whole; each other adds a share of what its confidence says beyond the least.
    3. Each service that could have said it and did not takes away its silence, the less the smaller the thing is;
       and confidence that others do not share is worth less.

    So another service that agrees never takes away, and one that has not answered changes nothing.
    """
    if not groups.said.size:
        return np.zeros(len(groups.said))
    silent = groups.silent.sum(axis=1)
    certainty = np.clip((groups.confidence - constants.least) / (1 - constants.least), 0, 1)
    rise = groups.said * constants.slope * certainty * (constants.damping**silent)[:, None]
    alone = np.where(groups.said, constants.offset + rise, -np.inf)
    best = np.arange(len(alone)), alone.argmax(axis=1)
    support = constants.agreement * (rise.sum(axis=1) - rise[best])
    telling = np.clip(1 + constants.size * np.log(groups.side / _TYPICAL_SIDE), _LEAST_SHARE, _MOST_SHARE)
    odds: Floats = alone[best] + support - telling * (groups.silent @ constants.silence)
    return odds - constants.part * groups.part


def probabilities(odds: Floats, rivals: Ints) -> Floats:
    """Of each group being right, when of rivals at most one can be: each pair is (group, one of its rivals)."""
    weights = np.exp(np.clip(odds, -_MOST_ODDS, _MOST_ODDS))
    others = np.bincount(rivals[:, 0], weights=weights[rivals[:, 1]], minlength=len(weights))
    result: Floats = weights / (1 + weights + others)
    return result
