"""The probability that a group of detections is an object of its label: evidence adds up in log-odds."""

from dataclasses import dataclass

import numpy as np

from windmill.kernels.boxes.box_calibration import BoxCalibration
from windmill.kernels.boxes.clustering import Ints
from windmill.kernels.boxes.geometry import Floats
from windmill.kernels.boxes.grouping import Groups

_TYPICAL_SIDE = 64.0
"""Pixels; a medium-sized object."""
_MIN_SHARE, _MAX_SHARE = 0.2, 2.0
"""The bounds of the size factor on silence."""
_MAX_ODDS = 15.0


@dataclass(frozen=True)
class Constants:
    """A calibration as arrays over the services (k,), and the constants that all share."""

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
    """The log-odds of each group, ignoring its rivals, shape (c,).

    1. Each member has the log-odds of its service's boxes at that confidence, if no other service had answered.
    2. The best of them counts fully; each other adds a share of its confidence above the threshold.
    3. Each silent service that could have reported the object subtracts its silence, less for small objects, and
       reduces the value of confidence.

    So an agreeing service never lowers the result, and one that has not answered changes nothing.
    """
    if not groups.said.size:
        return np.zeros(len(groups.said))
    silent = groups.silent.sum(axis=1)
    certainty = np.clip((groups.confidence - constants.least) / (1 - constants.least), 0, 1)
    rise = groups.said * constants.slope * certainty * (constants.damping**silent)[:, None]
    alone = np.where(groups.said, constants.offset + rise, -np.inf)
    best = np.arange(len(alone)), alone.argmax(axis=1)
    support = constants.agreement * (rise.sum(axis=1) - rise[best])
    telling = np.clip(1 + constants.size * np.log(groups.side / _TYPICAL_SIDE), _MIN_SHARE, _MAX_SHARE)
    odds: Floats = alone[best] + support - telling * (groups.silent @ constants.silence)
    return odds - constants.part * groups.part


def probabilities(odds: Floats, rivals: Ints) -> Floats:
    """The probability of each group, as at most one of several rivals can be right; pairs are (group, rival)."""
    weights = np.exp(np.clip(odds, -_MAX_ODDS, _MAX_ODDS))
    others = np.bincount(rivals[:, 0], weights=weights[rivals[:, 1]], minlength=len(weights))
    result: Floats = weights / (1 + weights + others)
    return result
