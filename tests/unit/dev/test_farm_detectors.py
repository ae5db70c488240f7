"""The detectors' errors: as many and of the kinds that published detectors make, and shared between them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import pytest

from dev.farm.answers.detectors import DETECTRON2, RTDETR, YOLOV8
from dev.farm.answers.looks import look
from dev.farm.answers.sightings import DetectorProfile, Sighting, sightings
from dev.farm.layout import make_scene
from dev.farm.pictures import Picture
from dev.farm.truth import Scene, Thing

DETECTORS = {detector.name: detector for detector in (YOLOV8, RTDETR, DETECTRON2)}
SCENES = 300


@dataclass(frozen=True)
class Judged:
    """A sighting, and the thing it is right about, with their overlap."""

    sighting: Sighting
    thing: int | None
    overlap: float


def _sightings(detector: DetectorProfile, scene: Scene) -> list[Sighting]:
    return sightings(detector, look(Picture(b"", scene.width, scene.height, "JPEG", truth=scene), scene, 1))


def _overlap(sighting: Sighting, thing: Thing) -> float:
    left, top, right, bottom = sighting.edges
    x, y, width, height = thing.box
    across, down = min(right, x + width) - max(left, x), min(bottom, y + height) - max(top, y)
    shared = max(across, 0) * max(down, 0)
    return shared / ((right - left) * (bottom - top) + width * height - shared)


def _judged(scene: Scene, found: list[Sighting]) -> Iterator[Judged]:
    """Surest first, each takes the free thing of its label that it covers best, from an IoU of 0.5."""
    free = dict(enumerate(scene.things))
    for sighting in sorted(found, key=lambda s: -s.confidence):
        overlaps = {i: _overlap(sighting, thing) for i, thing in free.items() if thing.label == sighting.label}
        best = max(overlaps, key=lambda i: overlaps[i], default=None)
        if best is None or overlaps[best] < 0.5:
            yield Judged(sighting, None, 0.0)
        else:
            del free[best]
            yield Judged(sighting, best, overlaps[best])


@cache
def _world() -> list[Scene]:
    return [make_scene(11, index) for index in range(SCENES)]


@cache
def _results(name: str) -> list[list[Judged]]:
    return [list(_judged(scene, _sightings(DETECTORS[name], scene))) for scene in _world()]


def _all(name: str) -> list[Judged]:
    return [judged for results in _results(name) for judged in results]


def _found(name: str) -> set[tuple[int, int]]:
    return {(i, j.thing) for i, results in enumerate(_results(name)) for j in results if j.thing is not None}


def _things() -> dict[tuple[int, int], Thing]:
    return {(i, j): thing for i, scene in enumerate(_world()) for j, thing in enumerate(scene.things)}


@pytest.mark.parametrize(
    ("name", "precision", "recall", "overlap"),
    [("yolov8", 0.73, 0.76, 0.871), ("rtdetr", 0.66, 0.78, 0.887), ("detectron2", 0.77, 0.60, 0.852)],
)
def test_each_detector_is_as_good_as_it_should_be(name: str, precision: float, recall: float, overlap: float) -> None:
    right = [judged for judged in _all(name) if judged.thing is not None]
    assert len(right) / len(_all(name)) == pytest.approx(precision, abs=0.05)
    assert len(right) / len(_things()) == pytest.approx(recall, abs=0.05)
    assert sum(judged.overlap for judged in right) / len(right) == pytest.approx(overlap, abs=0.02)


@pytest.mark.parametrize("name", DETECTORS)
def test_small_things_are_missed_more_often(name: str) -> None:
    def recall(smallest: int, biggest: int) -> float:
        keys = {k for k, t in _things().items() if smallest <= t.box[2] * t.box[3] < biggest}
        return len(keys & _found(name)) / len(keys)

    assert recall(0, 32**2) < recall(32**2, 96**2) < recall(96**2, 10**9)


def test_detectors_miss_the_same_things() -> None:
    missed = {name: set(_things()) - _found(name) for name in DETECTORS}
    by_chance = len(missed["yolov8"]) * len(missed["rtdetr"]) / len(_things())
    assert len(missed["yolov8"] & missed["rtdetr"]) > 2 * by_chance
    everything = set.union(*map(_found, DETECTORS))
    assert len(everything) / len(_things()) == pytest.approx(0.85, abs=0.05)


def test_detectron2_is_surer_than_right_and_yolov8_less_sure() -> None:
    def excess(name: str) -> float:
        judged = _all(name)
        return sum(j.sighting.confidence - (j.thing is not None) for j in judged) / len(judged)

    assert excess("detectron2") > 0.03
    assert excess("yolov8") < -0.03


@pytest.mark.parametrize("name", DETECTORS)
def test_sure_sightings_are_right_more_often(name: str) -> None:
    ranked = sorted(_all(name), key=lambda j: j.sighting.confidence)
    third = len(ranked) // 3
    shares = [sum(j.thing is not None for j in part) / third for part in (ranked[:third], ranked[-third:])]
    assert shares[0] + 0.1 < shares[1]


@pytest.mark.parametrize("name", DETECTORS)
def test_no_confidence_lies_under_the_threshold(name: str) -> None:
    assert min(j.sighting.confidence for j in _all(name)) >= DETECTORS[name].threshold


@pytest.mark.parametrize("name", DETECTORS)
def test_wrong_sightings_are_of_several_kinds(name: str) -> None:
    kinds = {"wrong label": 0, "fragment or double": 0, "phantom": 0}
    for scene, results in zip(_world(), _results(name), strict=True):
        for judged in (j for j in results if j.thing is None):
            near = [thing for thing in scene.things if _overlap(judged.sighting, thing) > 0.2]
            same = any(thing.label == judged.sighting.label for thing in near)
            kinds["fragment or double" if same else "wrong label" if near else "phantom"] += 1
    assert min(kinds.values()) > 10


@pytest.mark.parametrize("name", DETECTORS)
def test_a_service_suppresses_its_own_overlapping_boxes_of_one_label(name: str) -> None:
    for results in _results(name):
        for a in results:
            for b in results:
                if a is not b and a.sighting.label == b.sighting.label:
                    left, top, right, bottom = a.sighting.edges
                    box = Thing(a.sighting.label, (left, top, right - left, bottom - top))  # type: ignore[arg-type] # exact edges
                    assert _overlap(b.sighting, box) <= 0.3 + 1e-9
