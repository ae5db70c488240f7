"""Which model answers for which service, what it is called, and under which licence it comes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.farm.answers import classifiers, colors, detectors, face, metadata, nsfw, ocr, pose
from dev.farm.answers.dice import Prediction
from dev.farm.pictures import Picture
from dev.models.blazeface import BlazeFace, Face
from dev.models.blazepose import BlazePose, Landmark
from dev.models.centernet import CenterNet
from dev.models.efficientnet import EfficientNet, labels_of
from dev.models.nanodet import NanoDet
from dev.models.ocr import RapidOcr
from dev.models.open_nsfw import OpenNsfw
from dev.models.packages import HUMAN_MODELS, OPEN_NSFW, PIBO_MODELS, RAPIDOCR, Package
from dev.models.ssd import SsdMobileNet

Answer = Callable[[Picture], list[Prediction]]
UNSTATED = "not stated"


@dataclass(frozen=True)
class RealModel:
    """What answers for a service. Without a package it is computed; `load` is given the folder of the weights."""

    service: str
    name: str
    licence: str
    load: Callable[[Path], Answer]
    package: Package | None = None
    classes: Callable[[Path], Sequence[str]] | None = None
    """What it can name, where that is not what the service names."""

    @property
    def needs_consent(self) -> bool:
        """Whether its package states no licence, so that a user has to ask for it."""
        return self.package is not None and self.package.licence is None

    @property
    def weights(self) -> str:
        return f"{self.package.registry} {self.package}" if self.package else "none needed"


def _yolov8(weights: Path) -> Answer:
    model = NanoDet(weights)
    return lambda picture: detectors.as_yolov8(picture, model.detect(picture.rgb, detectors.YOLOV8.threshold))


def _rtdetr(weights: Path) -> Answer:
    model = CenterNet(weights)
    return lambda picture: detectors.as_rtdetr(picture, model.detect(picture.rgb, detectors.RTDETR.threshold))


def _detectron2(weights: Path) -> Answer:
    model = SsdMobileNet(weights)
    threshold = detectors.DETECTRON2.threshold
    return lambda picture: detectors.as_detectron2(picture, model.detect(picture.rgb, threshold))


def _inception_v3(weights: Path) -> Answer:
    model = EfficientNet(weights)
    return lambda picture: classifiers.as_inception(model.labels(picture.rgb, classifiers.INCEPTION_LEAST))


def _face(weights: Path) -> Answer:
    model = BlazeFace(weights)
    return lambda picture: [_face_prediction(one) for one in model.faces(picture.rgb)]


def _face_prediction(found: Face) -> Prediction:
    left, top, right, bottom = (round(edge) for edge in found.edges)
    return face.prediction((left, top, right - left, bottom - top), found.confidence, found.points)


def _pose(weights: Path) -> Answer:
    model = BlazePose(weights)

    def answer(picture: Picture) -> list[Prediction]:
        body = model.body(picture.rgb)
        return [_pose_prediction(body, picture.width, picture.height)] if body else []

    return answer


def _pose_prediction(body: dict[str, Landmark], width: int, height: int) -> Prediction:
    fractions = {
        name: {
            "x": round(one.x / width, 3),
            "y": round(one.y / height, 3),
            "z": round(one.z / width, 3),
            "visibility": round(one.visibility, 3),
        }
        for name, one in body.items()
    }
    return pose.prediction(fractions, {name: (one.x, one.y) for name, one in body.items()})


def _nsfw2(weights: Path) -> Answer:
    model = OpenNsfw(weights)

    def answer(picture: Picture) -> list[Prediction]:
        probability = model.probability(picture.rgb)
        return [nsfw.prediction(probability > 0.5, max(probability, 1 - probability))]

    return answer


def _ocr(weights: Path) -> Answer:
    model = RapidOcr(weights)
    return lambda picture: [ocr.prediction(model.read(picture.rgb))]


def _colors(_weights: Path) -> Answer:
    return lambda picture: colors.answer(picture, 0)


def _metadata(_weights: Path) -> Answer:
    return metadata.measured


MODELS: Sequence[RealModel] = (
    RealModel("yolov8", "NanoDet-m", "Apache-2.0, packed under MIT", _yolov8, HUMAN_MODELS),
    RealModel("rtdetr", "CenterNet-MobileNetV3", "MIT", _rtdetr, HUMAN_MODELS),
    RealModel("face", "BlazeFace", "Apache-2.0, packed under MIT", _face, HUMAN_MODELS),
    RealModel("pose", "BlazePose", "Apache-2.0, packed under MIT", _pose, HUMAN_MODELS),
    RealModel("nsfw2", "open-nsfw", "BSD-2-Clause AND MIT, packed under Apache-2.0", _nsfw2, OPEN_NSFW),
    RealModel("ocr", "RapidOCR", "Apache-2.0", _ocr, RAPIDOCR),
    RealModel("colors", "computed", "Windmill's own code", _colors),
    RealModel("metadata", "computed", "Windmill's own code", _metadata),
    RealModel("detectron2", "SSD-MobileNetV2", UNSTATED, _detectron2, PIBO_MODELS),
    RealModel("inception_v3", "EfficientNet-lite3", UNSTATED, _inception_v3, PIBO_MODELS, labels_of),
)


def models(*, accept_unstated: bool) -> list[RealModel]:
    """The models that may be used; those of packages without a licence only if the user asks for them."""
    return [one for one in MODELS if accept_unstated or not one.needs_consent]
