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
    rise = constants.slope * certainty(groups, constants) * (constants.damping**silent)[:, None]
    alone = np.where(groups.said, constants.offset + rise, -np.inf)
    best = np.arange(len(alone)), alone.argmax(axis=1)
    helping = np.maximum(rise, 0)
    support = constants.agreement * (helping.sum(axis=1) - helping[best])
    telling = np.clip(1 + constants.size * np.log(groups.side / _TYPICAL_SIDE), _MIN_SHARE, _MAX_SHARE)
    odds: Floats = alone[best] + support - telling * (groups.silent @ constants.silence)
    return odds - constants.part * groups.part


def slopes(groups: Groups, constants: Constants) -> Floats:
    """How the log-odds of each group change with each constant, (c, 3k + 4): every service's offset, slope and
    silence, then agreement, damping, size and part."""
    count, services = groups.said.shape
    silent, rows = groups.silent.sum(axis=1), np.arange(count)
    fading = constants.damping**silent
    certain = certainty(groups, constants) * fading[:, None]
    rise = constants.slope * certain
    best = np.where(groups.said, constants.offset + rise, -np.inf).argmax(axis=1)
    leads = np.zeros((count, services))
    leads[rows, best] = 1.0
    helping = np.maximum(rise, 0) * (1 - leads)
    share = leads + constants.agreement * (1 - leads) * (rise > 0)
    growth = np.log(groups.side / _TYPICAL_SIDE)
    free = 1 + constants.size * growth
    telling = np.clip(free, _MIN_SHARE, _MAX_SHARE)
    steady = (free > _MIN_SHARE) & (free < _MAX_SHARE)
    faded = silent / max(constants.damping, 0.01) * (rise[rows, best] + constants.agreement * helping.sum(axis=1))
    shared = (helping.sum(axis=1), faded, steady * -growth * (groups.silent @ constants.silence), -1.0 * groups.part)
    return np.concatenate((leads, share * certain, -telling[:, None] * groups.silent, np.stack(shared, axis=1)), axis=1)


def chance_slopes(groups: Groups, constants: Constants) -> Floats:
    """How the probability of each group changes with each constant; what raises a rival lowers it."""
    odds = np.clip(log_odds(groups, constants), -_MAX_ODDS, _MAX_ODDS)
    weights, change = np.exp(odds), slopes(groups, constants)
    own, other = groups.rivals[:, 0], groups.rivals[:, 1]
    total = 1 + weights + np.bincount(own, weights=weights[other], minlength=len(weights))
    chance = weights / total
    against = np.zeros_like(change)
    if len(own):
        starts = np.flatnonzero(np.diff(own, prepend=-1))  # pairs are in the order of groups
        weighed = (weights[other] / total[own])[:, None] * change[other]
        against[own[starts]] = np.add.reduceat(weighed, starts, axis=0)
    return np.asarray(chance[:, None] * ((1 - chance)[:, None] * change - against), dtype=np.float64)


def certainty(groups: Groups, constants: Constants) -> Floats:
    """How far each confidence is above its service's threshold, as a share of what is possible; 0 without one, and
    negative below the threshold, so that boxes stay ranked there too."""
    return np.asarray(groups.said * (groups.confidence - constants.least) / (1 - constants.least), dtype=np.float64)


def probabilities(odds: Floats, rivals: Ints) -> Floats:
    """The probability of each group, as at most one of several rivals can be right; pairs are (group, rival)."""
    weights = np.exp(np.clip(odds, -_MAX_ODDS, _MAX_ODDS))
    others = np.bincount(rivals[:, 0], weights=weights[rivals[:, 1]], minlength=len(weights))
    result: Floats = weights / (1 + weights + others)
    return result
