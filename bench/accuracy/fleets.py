"""Scenes with the answers of three detectors: with the usual errors, and with others that no constant was fitted on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from bench.accuracy.held_out import FIRST_SEED_FOR_FITTING as FIRST_SEED_FOR_FITTING
from bench.accuracy.held_out import HELD_OUT, held_out_sightings
from bench.accuracy.held_out_words import held_out_words
from bench.accuracy.scenes import Answered, answered
from dev.farm.answers.detectors import DETECTRON2, RTDETR, YOLOV8
from dev.farm.answers.dice import Prediction
from dev.farm.answers.looks import look
from dev.farm.answers.sightings import DetectorProfile, Sighting, sightings
from dev.farm.emojis import singular
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
FLEETS = ("usual", *_HABITS, *HELD_OUT)


def examples(fleet: str, count: int, seed: int) -> Iterator[BoxExample]:
    """Scenes 1 to `count` of a seed, answered by a fleet."""
    if fleet == "usual":
        for one in answered(count, seed, DETECTORS):
            yield as_example(one.scene, one.answers)
        return
    for index in range(1, count + 1):
        scene = make_scene(seed, index)
        yield as_example(scene, {name: _answer(fleet, name, scene) for name in DETECTORS})


def all_answers(fleet: str, count: int, seed: int) -> Iterator[Answered]:
    """The same scenes with the answers of all services: detectors of this fleet, and whoever else it spoils."""
    for one in answered(count, seed):
        yield one if fleet == "usual" else Answered(one.scene, _of_fleet(fleet, one))


def _of_fleet(fleet: str, one: Answered) -> dict[str, list[Prediction]]:
    spoilt = held_out_words if fleet in HELD_OUT else _as_they_are
    return {
        name: _answer(fleet, name, one.scene) if name in DETECTORS else spoilt(fleet, name, found, one.scene)
        for name, found in one.answers.items()
    }


def _as_they_are(_fleet: str, _service: str, found: Sequence[Prediction], _scene: Scene) -> list[Prediction]:
    return list(found)


def _answer(fleet: str, name: str, scene: Scene) -> list[Prediction]:
    """What a detector of this fleet reports; independent ones do not even share what is hard to see."""
    if fleet in HELD_OUT:
        return as_predictions(held_out_sightings(fleet, name, scene))
    own = 1000 * DETECTORS.index(name) if fleet == "independent" else 0
    picture = Picture(b"", scene.width, scene.height, "JPEG", truth=scene)
    detector = _HABITS[fleet](_USUAL[name])
    return as_predictions(sightings(detector, look(picture, scene, scene.seed + own)))


def as_predictions(found: Sequence[Sighting]) -> list[Prediction]:
    """What a service replies, in whole pixels and with emojis."""
    return [_prediction(one) for one in found]


def _prediction(sighting: Sighting) -> Prediction:
    left, top, right, bottom = (round(edge) for edge in sighting.edges)
    box = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    prediction: Prediction = {"label": sighting.label, "confidence": round(sighting.confidence, 3), "bbox": box}
    emoji = singular(sighting.label)
    return prediction | {"emoji": emoji} if emoji else prediction


def as_example(scene: Scene, answers: Mapping[str, object]) -> BoxExample:
    """The answers of detectors with the truth of the scene."""
    things = scene.things
    return BoxExample(answers, [one.box for one in things], [one.label for one in things], (scene.width, scene.height))
