"""Scenes with the answers of three detectors, with usual errors and with others that no constant was fitted on."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from bench.accuracy.scenes import answered
from dev.farm.answers.detectors import DETECTRON2, RTDETR, YOLOV8
from dev.farm.answers.looks import look
from dev.farm.answers.sightings import DetectorProfile, Sighting, sightings
from dev.farm.layout import make_scene
from dev.farm.pictures import Picture
from dev.farm.truth import Scene
from windmill.kernels.boxes.box_fitting import BoxExample

DETECTORS = ("detectron2", "rtdetr", "yolov8")
_USUAL = {"detectron2": DETECTRON2, "rtdetr": RTDETR, "yolov8": YOLOV8}


def _overconfident(detector: DetectorProfile) -> DetectorProfile:
    return replace(detector, inflation=2 * detector.inflation)


def _noisy(detector: DetectorProfile) -> DetectorProfile:
    return replace(detector, phantoms=detector.phantoms + 1.2, doubles=2.5 * detector.doubles)


def _weak_third(detector: DetectorProfile) -> DetectorProfile:
    if detector.name != "detectron2":
        return detector
    return replace(
        detector, strength=detector.strength - 1, looseness=2 * detector.looseness, phantoms=detector.phantoms + 1.2
    )


def _same(detector: DetectorProfile) -> DetectorProfile:
    return detector


_HABITS: Mapping[str, Callable[[DetectorProfile], DetectorProfile]] = {
    "overconfident": _overconfident,
    "noisy": _noisy,
    "weak third": _weak_third,
    "independent": _same,
}
FLEETS = ("usual", *_HABITS)


def examples(fleet: str, count: int, seed: int) -> Iterator[BoxExample]:
    """Scenes 1 to `count` of a seed, answered by a fleet."""
    if fleet == "usual":
        for one in answered(count, seed, DETECTORS):
            yield _example(one.scene, one.answers)
        return
    for index in range(1, count + 1):
        scene = make_scene(seed, index)
        yield _example(scene, {name: _answer(fleet, name, scene) for name in DETECTORS})


def _answer(fleet: str, name: str, scene: Scene) -> list[dict[str, object]]:
    """What a detector of this fleet reports; independent ones do not even share what is hard to see."""
    own = 1000 * DETECTORS.index(name) if fleet == "independent" else 0
    picture = Picture(b"", scene.width, scene.height, "JPEG", truth=scene)
    detector = _HABITS[fleet](_USUAL[name])
    return [_prediction(one) for one in sightings(detector, look(picture, scene, scene.seed + own))]


def _prediction(sighting: Sighting) -> dict[str, object]:
    left, top, right, bottom = (round(edge) for edge in sighting.edges)
    box = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    return {"label": sighting.label, "confidence": round(sighting.confidence, 3), "bbox": box}


def _example(scene: Scene, answers: Mapping[str, object]) -> BoxExample:
    things = scene.things
    return BoxExample(answers, [one.box for one in things], [one.label for one in things], (scene.width, scene.height))
