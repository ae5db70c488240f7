"""Finds the most likely constants of box merging by damped Gauss-Newton steps, with a prior around where it starts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from windmill.kernels.boxes.box_calibration import BoxCalibration, clamp
from windmill.kernels.boxes.box_evidence import Constants, chance_slopes, log_odds, probabilities
from windmill.kernels.boxes.geometry import Bools, Floats
from windmill.kernels.boxes.grouping import Groups

_OF_EACH = {"offset": 1.0, "slope": 2.0, "silence": 0.5}
_OF_ALL = {"agreement": 0.3, "damping": 0.15, "size": 0.25, "part": 0.5}
"""Standard deviations of the prior around the initial constants."""
_STEPS, _ENOUGH = 30, 1e-3


@dataclass(frozen=True)
class BoxSample:
    """Groups of many images with a column per service, how likely each is right, and its weight."""

    groups: Groups
    right: Floats
    weight: Floats


class BoxSearch:
    """One search from a calibration."""

    def __init__(self, sample: BoxSample, services: tuple[str, ...], start: BoxCalibration) -> None:
        self._sample = sample
        self._services = services
        self._least = start.column("least", services)
        columns = [start.column(name, services) for name in _OF_EACH]
        self._start = np.concatenate([*columns, [getattr(start, name) for name in _OF_ALL]])
        spreads = [np.full(len(services), spread) for spread in _OF_EACH.values()]
        self._belief = np.concatenate([*spreads, list(_OF_ALL.values())]) ** -2.0
        self._names = [name for name in _OF_EACH for _ in services] + list(_OF_ALL)

    def run(self) -> Constants:
        point, damping, cost = self._start, 1.0, self._cost(self._start)
        for _ in range(_STEPS):
            after = self._step(point, damping)
            gain = cost - self._cost(after)
            if gain > 0:
                point, cost, damping = after, cost - gain, damping / 5
            else:
                damping *= 10
            if 0 < gain < _ENOUGH or damping > 1e9:
                break
        return self._constants(point)

    def _constants(self, point: Floats) -> Constants:
        count = len(self._services)
        offset, slope, silence = point[: 3 * count].reshape(3, count)
        return Constants(self._least, offset, slope, silence, *point[3 * count :].tolist())

    def _chance(self, constants: Constants) -> Floats:
        groups = self._sample.groups
        return np.clip(probabilities(log_odds(groups, constants), groups.rivals), 1e-6, 1 - 1e-6)

    def _cost(self, point: Floats) -> float:
        chance, right = self._chance(self._constants(point)), self._sample.right
        misfit = -(right * np.log(chance) + (1 - right) * np.log(1 - chance)) @ self._sample.weight
        return float(misfit + self._belief @ (point - self._start) ** 2 / 2)

    def _step(self, point: Floats, damping: float) -> Floats:
        constants = self._constants(point)
        chance, change = self._chance(constants), chance_slopes(self._sample.groups, constants)
        weight = self._sample.weight / (chance * (1 - chance))
        downhill = change.T @ (weight * (self._sample.right - chance)) - self._belief * (point - self._start)
        curvature = (change.T * weight) @ change + np.diag(self._belief + damping)
        after = point + np.linalg.solve(curvature, downhill)
        return np.array([clamp(name, value) for name, value in zip(self._names, after.tolist(), strict=True)])


def with_constants(start: BoxCalibration, services: tuple[str, ...], found: Constants) -> BoxCalibration:
    """The calibration with these constants, rounded."""
    detectors = dict(start.detectors)
    for place, service in enumerate(services):
        offset, slope, silence = (round(float(getattr(found, name)[place]), 3) for name in _OF_EACH)
        detectors[service] = replace(start.of(service), offset=offset, slope=slope, silence=silence)
    return replace(start, detectors=detectors, **{name: round(getattr(found, name), 3) for name in _OF_ALL})


def widened(groups: Groups, places: Sequence[int], width: int) -> Groups:
    def wide(values: Floats | Bools) -> Floats:
        full = np.zeros((len(values), width))
        full[:, places] = values
        return full

    return replace(
        groups,
        confidence=wide(groups.confidence),
        said=wide(groups.said).astype(np.bool_),
        silent=wide(groups.silent).astype(np.bool_),
    )


def stacked(samples: Sequence[BoxSample], width: int) -> BoxSample:
    counts = [len(sample.right) for sample in samples]
    before = np.cumsum([0, *counts[:-1]])
    rivals = [sample.groups.rivals + offset for sample, offset in zip(samples, before.tolist(), strict=True)]
    parts = [sample.groups for sample in samples]
    groups = Groups(
        np.zeros(0, dtype=np.int64),
        np.concatenate([part.label for part in parts]),
        np.concatenate([part.corners for part in parts]),
        np.concatenate([part.confidence for part in parts]).reshape(-1, width),
        np.concatenate([part.said for part in parts]).reshape(-1, width),
        np.concatenate([part.silent for part in parts]).reshape(-1, width),
        np.concatenate([part.side for part in parts]),
        np.concatenate([part.part for part in parts]),
        np.concatenate(rivals),
    )
    right = np.concatenate([sample.right for sample in samples])
    return BoxSample(groups, right, np.concatenate([sample.weight for sample in samples]))
