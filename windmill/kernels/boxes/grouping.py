"""Groups the detections of several services: one group per label and place."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from windmill.kernels.boxes.box_calibration import BoxCalibration, DetectorCalibration
from windmill.kernels.boxes.clustering import Ints, cluster
from windmill.kernels.boxes.detections import Detections, Dropped
from windmill.kernels.boxes.geometry import Bools, Floats, areas, intersections, ious, suppressed

_INSIDE, _LARGER = 0.8, 1.5
"""A part lies inside the whole by this share of its area; the whole is at least this many times larger."""
_TYPICAL_LOOSENESS = DetectorCalibration.looseness
"""Boxes of a detector as loose as this weigh what they are trusted."""
_LEAST_TRUST = 0.01
"""A box that its detector does not believe in still has a place."""
_MAX_ODDS = 15.0


@dataclass(frozen=True)
class Groups:
    """c groups of n detections by k services; no service is twice in one.

    `member` (n,) is the group of each detection; `label` (c,) its place in the labels; `confidence` (c, k) is 0 where
    a service is not in the group, which `said` (c, k) tells; `silent` (c, k): it answered, and could have said it;
    `side` (c,) is that of the smallest member; `part` (c,): one service's box inside a larger one of the same label;
    `rivals` (m, 2) are pairs of groups, in both orders, that name one object differently.
    """

    member: Ints
    label: Ints
    corners: Floats
    confidence: Floats
    said: Bools
    silent: Bools
    side: Floats
    part: Bools
    rivals: Ints


@dataclass(frozen=True)
class MatchedDetections:
    """Detections without duplicates, the group of each in the order of first members, and counts of duplicates.

    Of a calibration only the overlaps decide what is matched, so calibrations with the same ones can share it.
    """

    detections: Detections
    member: Ints
    dropped: Dropped


def match_detections(detections: Detections, calibration: BoxCalibration) -> MatchedDetections:
    """Which of them are the same, and which show one object."""
    overlaps = ious(detections.corners, detections.corners)
    repeated = _repeated(detections, overlaps >= calibration.repeat_overlap)
    if not repeated.any():
        return MatchedDetections(detections, _members(detections, overlaps, calibration), {})
    once = detections.only(~repeated)
    member = _members(once, overlaps[np.ix_(~repeated, ~repeated)], calibration)
    return MatchedDetections(once, member, _counts(detections, repeated))


def group_detections(detections: Detections, calibration: BoxCalibration) -> tuple[Detections, Groups, Dropped]:
    """Detections without duplicates, their groups in the order of first members, and counts of duplicates."""
    matched = match_detections(detections, calibration)
    return matched.detections, groups_of(matched, calibration), matched.dropped


def _repeated(detections: Detections, near: Bools) -> Bools:
    """Which boxes duplicate one of the same service and label with more confidence."""
    same = near & _alike(detections.label) & _alike(detections.service)
    if np.count_nonzero(same) == len(same):
        return np.zeros(len(same), dtype=np.bool_)
    order = np.argsort(-detections.confidence, kind="stable")
    repeated = np.zeros(len(same), dtype=np.bool_)
    repeated[order] = suppressed(same[np.ix_(order, order)])
    return repeated


def _counts(detections: Detections, repeated: Bools) -> Dropped:
    counts = Counter(detections.service[repeated].tolist())
    return {detections.services[place]: {"duplicate": count} for place, count in sorted(counts.items())}


def _members(detections: Detections, overlaps: Floats, calibration: BoxCalibration) -> Ints:
    return cluster(overlaps, ~_alike(detections.label) | _alike(detections.service), calibration.overlap)


def groups_of(matched: MatchedDetections, calibration: BoxCalibration) -> Groups:
    """The groups, with the places and rivals that follow from the calibration."""
    detections, member = matched.detections, matched.member
    count, services = int(member.max(initial=-1)) + 1, detections.services
    confidence = np.zeros((count, len(services)))
    confidence[member, detections.service] = detections.confidence
    said = np.zeros(confidence.shape, dtype=np.bool_)
    said[member, detections.service] = True
    label = np.zeros(count, dtype=np.int64)
    label[member] = detections.label
    weights = _weights(detections, calibration)
    own = np.arange(count)[:, None] == member[None, :]
    corners = _means(detections, own * weights)
    rivals = _rivals(corners, label, said, calibration.rival_overlap)
    # Services with another label for it still contribute to its position.
    corners = _means(detections, (own | rivals[:, member]) * weights)
    return Groups(
        member,
        label,
        corners,
        confidence,
        said,
        ~said & _able(detections, calibration)[label],
        np.sqrt(np.where(own, areas(detections.corners), np.inf).min(axis=1, initial=np.inf)),
        (said.sum(axis=1) == 1) & _inside(corners, label),
        np.argwhere(rivals).astype(np.int64),
    )


def _alike(values: Ints) -> Bools:
    """Which pairs have the same value, shape (n, n)."""
    return np.asarray(values[:, None] == values[None, :], dtype=np.bool_)


def _weights(detections: Detections, calibration: BoxCalibration) -> Floats:
    """How much each box counts in a mean: by how far to trust it, and by how tight its detector's boxes are."""
    looseness = calibration.column("looseness", detections.services)[detections.service]
    return np.asarray(_trust(detections, calibration) * (looseness / _TYPICAL_LOOSENESS) ** -3.0, dtype=np.float64)


def _trust(detections: Detections, calibration: BoxCalibration) -> Floats:
    """How likely each box is right, as far as its own detector tells; without labels, the confidence that it states."""
    least, offset, slope = (
        calibration.column(name, detections.services)[detections.service] for name in ("least", "offset", "slope")
    )
    odds = offset + slope * (detections.confidence - least) / (1 - least)
    calibrated = calibration.column("calibrated", detections.services)[detections.service] > 0
    trust = np.where(calibrated, 1 / (1 + np.exp(-np.clip(odds, -_MAX_ODDS, _MAX_ODDS))), detections.confidence)
    return np.asarray(np.maximum(trust, _LEAST_TRUST), dtype=np.float64)


def _means(detections: Detections, weights: Floats) -> Floats:
    """Weighted mean of corners for each row of weights, relative to the heaviest, so that a single box stays exact."""
    if not len(weights):
        return np.zeros((0, 4))
    heaviest, total = detections.corners[weights.argmax(axis=1)], weights.sum(axis=1)[:, None]
    means: Floats = heaviest + (weights @ detections.corners - total * heaviest) / total
    return means


def _rivals(corners: Floats, label: Ints, said: Bools, overlap: float) -> Bools:
    """Which pairs are two names of one object; if two services report both, they are two objects."""
    votes = said.astype(np.float64)
    near = ious(corners, corners) >= overlap
    return near & ~_alike(label) & (votes @ votes.T < 2)


def _inside(corners: Floats, label: Ints) -> Bools:
    size = np.maximum(areas(corners), 1e-9)
    within = intersections(corners, corners) >= _INSIDE * size[:, None]
    larger = size[None, :] >= _LARGER * size[:, None]
    return np.asarray((within & larger & _alike(label)).any(axis=1), dtype=np.bool_)


def _able(detections: Detections, calibration: BoxCalibration) -> Bools:
    """Which service could have reported which label, shape (labels, k)."""
    able = [[calibration.knows(one, label) for one in detections.services] for label in detections.labels]
    return np.array(able, dtype=np.bool_).reshape(len(detections.labels), len(detections.services))
