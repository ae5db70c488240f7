"""How a detector errs on a scene: a model of misses, loose boxes, wrong labels, fragments and phantoms.

Every object and every phantom has a strength that all detectors share and one of each detector's own. The sum
decides whether it is reported and with what confidence, so errors and confidences go together across detectors.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from dev.farm.answers.dice import clipped, dice
from dev.farm.answers.looks import Look
from dev.farm.coco import LABELS
from dev.farm.truth import PixelBox, Scene

_SHARED_STRENGTH = 1.0
_HARD_WEAKNESS = 5.0
_CONVINCING_SHARE, _CONVINCING_STRENGTH = 0.12, 3.5
_PHANTOM_WHIM = 2.2
_PHANTOMS_ALWAYS, _PHANTOMS_PER_THING = 1.4, 0.6
_SHARED_LOOSENESS = 0.6
_TYPICAL_SIDE = 64.0
_FRAGMENT_SHARE = 0.5
_SUPPRESSION = 0.3

_Edges = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class DetectorProfile:
    """The habits of one detector; `inflation` stretches its confidences away from a half."""

    name: str
    threshold: float
    strength: float
    size_gain: float
    own_strength: float
    caution: float
    inflation: float
    looseness: float
    phantoms: float
    mislabels: float
    doubles: float


@dataclass(frozen=True, slots=True)
class Sighting:
    """One reported box, corners still exact."""

    label: str
    confidence: float
    edges: _Edges


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Something that might be reported: what all detectors have in common about it."""

    label: str
    confusable: float
    size: float
    shared_strength: float
    edges: _Edges
    drift: tuple[float, ...]
    real: bool


def sightings(detector: DetectorProfile, look: Look) -> list[Sighting]:
    """What the detector reports, most confident first, with a label's overlapping boxes suppressed."""
    rng = dice("detector", detector.name, look.seed, look.identity)
    reports: list[Sighting] = []
    for candidate in _candidates(look, dice("candidates", look.seed, look.identity)):
        reports.extend(_reports(detector, candidate, look.rival(candidate.label), rng))
    return _suppressed(reports)


def _candidates(look: Look, rng: random.Random) -> list[_Candidate]:
    real = [
        _candidate(thing.label, _edges(thing.box), -_HARD_WEAKNESS if hard else 0.0, True, rng)
        for thing, hard in zip(look.scene.things, look.hard, strict=True)
    ]
    count = _poisson(rng, _PHANTOMS_ALWAYS + _PHANTOMS_PER_THING * len(real))
    return real + [_phantom(look.scene, rng) for _ in range(count)]


def _candidate(label: str, edges: _Edges, strength: float, real: bool, rng: random.Random) -> _Candidate:
    return _Candidate(
        label=label,
        confusable=rng.random(),
        size=math.log(math.sqrt((edges[2] - edges[0]) * (edges[3] - edges[1])) / _TYPICAL_SIDE),
        shared_strength=strength + _SHARED_STRENGTH * rng.gauss(0, 1),
        edges=edges,
        drift=tuple(rng.gauss(0, 1) for _ in range(4)),
        real=real,
    )


def _phantom(scene: Scene, rng: random.Random) -> _Candidate:
    """False positives: more of what is in the scene, or a random label."""
    label = rng.choice(scene.things).label if scene.things and rng.random() < 0.55 else rng.choice(LABELS)
    side = math.exp(rng.gauss(math.log(0.14), 0.7)) * math.sqrt(scene.width * scene.height)
    width = clipped(side * math.exp(rng.gauss(0, 0.35)), 8, scene.width)
    height = clipped(side * math.exp(rng.gauss(0, 0.35)), 8, scene.height)
    left, top = rng.uniform(0, scene.width - width), rng.uniform(0, scene.height - height)
    strength = _CONVINCING_STRENGTH if rng.random() < _CONVINCING_SHARE else 0.0
    return _candidate(label, (left, top, left + width, top + height), strength, False, rng)


def _reports(detector: DetectorProfile, candidate: _Candidate, other: str, rng: random.Random) -> Iterator[Sighting]:
    base = detector.strength + detector.size_gain * candidate.size if candidate.real else detector.phantoms
    whim = detector.own_strength * (1 if candidate.real else _PHANTOM_WHIM)
    strength = base + candidate.shared_strength + whim * rng.gauss(0, 1)
    mistaken = rng.random() < detector.mislabels * 5 * candidate.confusable**4
    label, second = (other, candidate.label) if mistaken else (candidate.label, other)
    edges = _loosened(candidate, detector.looseness, strength, rng)
    doubled, fragmented, fragment = rng.random() < detector.doubles, rng.random() < _FRAGMENT_SHARE, rng.random()
    yield from _reported(detector, label, strength - 0.8 * mistaken, edges)
    if not doubled:
        return
    if fragmented:
        yield from _reported(detector, label, strength - 1.0, _fragment(edges, fragment))
    else:
        yield from _reported(detector, second, strength - 1.2, _loosened(candidate, detector.looseness, 0, rng))


def _reported(detector: DetectorProfile, label: str, strength: float, edges: _Edges) -> Iterator[Sighting]:
    confidence = 1 / (1 + math.exp(-detector.inflation * (strength - detector.caution)))
    if confidence >= detector.threshold:
        yield Sighting(label, confidence, edges)


def _loosened(candidate: _Candidate, looseness: float, strength: float, rng: random.Random) -> _Edges:
    """The box, each edge off by a share of its side: worse for the weak and the small, much worse now and then."""
    left, top, right, bottom = candidate.edges
    spread = looseness * math.exp(rng.gauss(0, 0.45) - 0.12 * clipped(strength, -2, 3))
    own = math.sqrt(1 - _SHARED_LOOSENESS**2)
    width, height = right - left, bottom - top
    moved = [
        edge + (spread * side + 0.7) * (_SHARED_LOOSENESS * shared + own * rng.gauss(0, 1))
        for edge, side, shared in zip(candidate.edges, (width, height, width, height), candidate.drift, strict=True)
    ]
    return moved[0], moved[1], max(moved[2], moved[0] + 2), max(moved[3], moved[1] + 2)


def _fragment(edges: _Edges, where: float) -> _Edges:
    """A part of the object taken for one of its own: too small a part to be suppressed."""
    left, top, right, bottom = edges
    width, height = (right - left) * 0.5, (bottom - top) * 0.55
    x, y = left + (right - left - width) * where, top + (bottom - top - height) * (1 - where)
    return x, y, x + width, y + height


def _suppressed(reports: list[Sighting]) -> list[Sighting]:
    kept: list[Sighting] = []
    for report in sorted(reports, key=lambda r: -r.confidence):
        if all(report.label != other.label or _iou(report.edges, other.edges) <= _SUPPRESSION for other in kept):
            kept.append(report)
    return kept


def _iou(a: _Edges, b: _Edges) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def _edges(box: PixelBox) -> _Edges:
    x, y, width, height = box
    return float(x), float(y), float(x + width), float(y + height)


def _poisson(rng: random.Random, mean: float) -> int:
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count
