"""The predictions of each stand-in service: the shapes of the real ones, with plausible errors.

Answers for scenes are their truth, distorted at random by seed, service and content. Pictures without truth are
analysed where that needs no model weights; elsewhere the answer is simulated.
"""

from collections.abc import Callable, Mapping
from typing import Any

from dev.farm.answers import captions, classifiers, colors, detectors, face, metadata, nsfw, ocr, pose
from dev.farm.answers.dice import Prediction
from dev.farm.contract import FRAMEWORK
from dev.farm.labels import class_names as class_names
from dev.farm.pictures import Picture
from windmill.calling.canaries import canary_image

_Answer = Callable[[Picture, int], list[Prediction]]

_ANSWERS: dict[str, _Answer] = {
    "blip": captions.blip,
    "clip": classifiers.clip,
    "colors": colors.answer,
    "detectron2": detectors.detectron2,
    "face": face.answer,
    "inception_v3": classifiers.inception,
    "metadata": metadata.answer,
    "ocr": ocr.answer,
    "nsfw2": nsfw.answer,
    "ollama": captions.ollama,
    "pose": pose.answer,
    "rtdetr": detectors.rtdetr,
    "yolov8": detectors.yolov8,
}
# A stand-in finds what its canary shows, whatever its dice say.
_CANARIES = {
    "face": canary_image("face"),
    "pose": canary_image("body"),
    "ocr": canary_image("words"),
}
_CANARY_ANSWERS: dict[str, Callable[[Picture], list[Prediction]]] = {
    "face": lambda picture: face.answer(picture, 0),
    "pose": pose.standing,
    "ocr": lambda picture: [ocr.prediction([("WINDMILL", 0.99, (20, 40, picture.width - 40, picture.height - 80))])],
}
SERVICES: tuple[str, ...] = tuple(_ANSWERS)


def predictions(service: str, picture: Picture, seed: int) -> list[Prediction]:
    """The `predictions` list of the service's reply; raises BrokenImage where the real one fails on the picture. Of an
    unknown service nothing is known, so it finds nothing."""
    if picture.data == _CANARIES.get(service):
        return _CANARY_ANSWERS[service](picture)
    return _ANSWERS[service](picture, seed) if service in _ANSWERS else []


def nothing_found(service: str) -> list[Prediction]:
    """The `predictions` of a service that finds nothing in a picture: ocr has one that says so."""
    return [ocr.prediction([])] if service == "ocr" else []


def is_simulated(service: str, picture: Picture) -> bool:
    """Whether the answer is neither drawn from truth nor a real analysis of the pixels."""
    if service in _ANSWERS and (picture.truth is not None or service in {"colors", "metadata", "face"}):
        return False
    return service != "ocr" or ocr.engine() is None


def model_info(service: str) -> Mapping[str, Any]:  # noqa: ARG001 - no stand-in has a model
    """What answers for a service."""
    return {"framework": FRAMEWORK}
