"""Learns how far to trust each detector from its own unlabelled history: by what becomes of its boxes.

A box should be worth, while its detector is the only one to have answered, what it is worth on average once the others
have. Where it turns out to be worth less, because its weak boxes are or all of them much, the constants are moved half
of the way. Elsewhere they stay, and weak boxes are never trusted more: when detectors make the same mistakes, and real
ones do, they agree on much that is wrong, so agreement is no reason to believe more. Silence keeps its meaning, because
what others agree on is mostly easy to see, and tells little about who overlooks what is hard.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from windmill.kernels.boxes.box_calibration import BoxCalibration, DetectorCalibration, clamp
from windmill.kernels.boxes.box_evidence import Constants, log_odds, probabilities
from windmill.kernels.boxes.detections import parse_detections
from windmill.kernels.boxes.geometry import Bools, Floats
from windmill.kernels.boxes.grouping import group_detections

FEWEST_BOXES = 100
"""With fewer boxes beside another detector's answers nothing is learnt of a detector."""
_WAY = 0.5
"""How far constants move towards what the history says."""
_MUCH = 1.0
"""By how much, in log-odds, the boxes of a detector must be worth less to lower it although its weak ones are not."""
_RIDGE, _ROUNDS = 1.0, 12


@dataclass(frozen=True)
class DetectorReport:
    """What was seen of one detector."""

    service: str
    boxes: int
    confirmed: float
    """The share of its boxes that another detector confirms."""
    missed: float | None
    """The share of what others agree on that it did not report; None where nobody could tell."""
    learnt: bool


@dataclass(frozen=True)
class LearntBoxes:
    """The calibration, and the reasons for it."""

    calibration: BoxCalibration
    reports: Sequence[DetectorReport]


@dataclass(frozen=True)
class _Seen:
    """Groups of the whole history: confidences, members, who could have been one, and how likely each is right."""

    confidence: Floats
    said: Bools
    silent: Bools
    chance: Floats


def learn(history: Iterable[Mapping[str, object]], start: BoxCalibration) -> LearntBoxes:
    """The calibration for the detectors of this history, and what it rests on; `start` where too little was seen."""
    answers = [one for one in history if len(one) > 1]
    services = tuple(sorted({service for one in answers for service in one}))
    seen = _seen(answers, services, start)
    reports, detectors = [], dict(start.detectors)
    for place, service in enumerate(services):
        report = _report(seen, place, service)
        reports.append(report)
        if report.learnt:
            detectors[service] = _learnt(seen, place, start.of(service))
    return LearntBoxes(replace(start, detectors=detectors), reports)


def _seen(answers: Sequence[Mapping[str, object]], services: tuple[str, ...], start: BoxCalibration) -> _Seen:
    tables: tuple[list[Floats], list[Floats], list[Floats]] = ([], [], [])
    chances = [np.zeros(0)]
    for one in answers:
        detections, groups, _ = group_detections(parse_detections(one)[0], start)
        places = [services.index(service) for service in detections.services]
        for rows, values in zip(tables, (groups.confidence, groups.said, groups.silent), strict=True):
            wide = np.zeros((len(values), len(services)))
            wide[:, places] = values
            rows.append(wide)
        odds = log_odds(groups, Constants.of(start, detections.services))
        chances.append(probabilities(odds, groups.rivals))
    empty = np.zeros((0, len(services)))
    confidence, said, silent = (np.concatenate([empty, *rows]) for rows in tables)
    return _Seen(confidence, said.astype(np.bool_), silent.astype(np.bool_), np.concatenate(chances))


def _report(seen: _Seen, place: int, service: str) -> DetectorReport:
    judged = _judged(seen, place)
    others = np.delete(seen.said, place, axis=1).sum(axis=1)
    confirmed = float((others[judged] > 0).mean()) if judged.any() else 0.0
    count = int(judged.sum())
    return DetectorReport(service, count, confirmed, _missed(seen, place), count >= FEWEST_BOXES)


def _missed(seen: _Seen, place: int) -> float | None:
    """The share of what two others agree on that it did not report."""
    others = np.delete(seen.said, place, axis=1).sum(axis=1)
    agreed = (others > 1) & (seen.said[:, place] | seen.silent[:, place])
    return float(seen.silent[agreed, place].mean()) if agreed.any() else None


def _judged(seen: _Seen, place: int) -> Bools:
    """Its boxes that another detector confirmed or was silent about."""
    others = np.delete(seen.said | seen.silent, place, axis=1).any(axis=1)
    return np.asarray(seen.said[:, place] & others, dtype=np.bool_)


def _learnt(seen: _Seen, place: int, known: DetectorCalibration) -> DetectorCalibration:
    judged = _judged(seen, place)
    certainty = (seen.confidence[judged, place] - known.least) / (1 - known.least)
    offset, slope = _curve(certainty, seen.chance[judged])
    weak, steeper = offset - known.offset, slope - known.slope
    if weak >= 0 and weak + steeper * float(certainty.mean()) > -_MUCH:
        return known
    lower = min(_WAY * weak, 0.0)
    return replace(
        known,
        offset=round(clamp("offset", known.offset + lower), 3),
        slope=round(clamp("slope", known.slope + _WAY * (weak + steeper) - lower), 3),
    )


def _curve(certainty: Floats, target: Floats) -> tuple[float, float]:
    """Offset and slope of the log-odds that fit these shares best; the slope never falls below 0."""
    design = np.stack((np.ones(len(certainty)), certainty), axis=1)
    weights = np.zeros(2)
    for _ in range(_ROUNDS):
        chance = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        downhill = design.T @ (target - chance) - _RIDGE * weights
        curvature = (design.T * (chance * (1 - chance))) @ design + _RIDGE * np.eye(2)
        weights = weights + np.linalg.solve(curvature, downhill)
    return float(weights[0]), max(float(weights[1]), 0.0)
