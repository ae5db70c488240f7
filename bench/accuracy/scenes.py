"""Scenes and the answers of stand-in services, without drawing and without HTTP."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dev.farm.answers import predictions
from dev.farm.answers.dice import Prediction
from dev.farm.layout import make_scene
from dev.farm.pictures import Picture
from dev.farm.truth import Scene

# Services that answer from the truth alone; colors and metadata read pixels and do not detect objects.
SERVICES = (
    "blip", "clip", "detectron2", "face", "inception_v3", "nsfw2", "ocr", "ollama", "pose", "rtdetr", "yolov8",
)  # fmt: skip


@dataclass(frozen=True)
class Answered:
    """A scene and the predictions of each service."""

    scene: Scene
    answers: dict[str, list[Prediction]]


def answered(count: int, seed: int, services: Sequence[str] = SERVICES, first: int = 1) -> Iterator[Answered]:
    """`count` scenes of a seed from number `first` on, each answered by these services."""
    for index in range(first, first + count):
        scene = make_scene(seed, index)
        picture = Picture(b"", scene.width, scene.height, "JPEG", truth=scene)
        yield Answered(scene, {service: predictions(service, picture, seed) for service in services})
