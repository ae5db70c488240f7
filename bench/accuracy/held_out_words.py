"""Captioners and classifiers of the held-out fleets: the answers of the stand-ins, spoilt in ways they do not know."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dev.farm.answers.dice import Prediction, dice
from dev.farm.coco import LABELS
from dev.farm.emojis import singular
from dev.farm.truth import Scene

_CAPTIONERS, _CLASSIFIERS = ("blip", "ollama"), ("clip", "inception_v3")
_INVENTED = {"set predictors": 2, "crowds joined": 0, "specialists": 1}
"""Words that a captioner adds from what is often seen together, whatever the picture shows; both add the same ones."""
_FORGOTTEN = {"set predictors": 0.1, "crowds joined": 0.45, "specialists": 0.2}
_FLATTENED = {"set predictors": 0.3, "crowds joined": 2.0, "specialists": 0.7}
"""The exponent on the confidences of a classifier: under 1 it is timid, over 1 sure of itself."""
_OFTEN = ("person", "chair", "car", "cup", "bottle", "book", "dining table", "potted plant")


def held_out_words(fleet: str, service: str, found: Sequence[Prediction], scene: Scene) -> list[Prediction]:
    """The predictions of a service in this fleet; detectors have their own module, specialists stay as they are."""
    if service in _CAPTIONERS:
        return [_recaptioned(fleet, service, one, scene) for one in found]
    if service in _CLASSIFIERS:
        return [_flattened(one, _FLATTENED[fleet]) for one in found]
    return list(found)


def _recaptioned(fleet: str, service: str, caption: Mapping[str, Any], scene: Scene) -> Prediction:
    own = dice("words", fleet, service, scene.seed, scene.index)
    kept = [one for one in caption.get("emoji_mappings", ()) if own.random() >= _FORGOTTEN[fleet]]
    common = dice("invented", fleet, scene.seed, scene.index)
    invented = [common.choice((*_OFTEN, common.choice(LABELS))) for _ in range(_INVENTED[fleet])]
    added = [{"word": label, "emoji": emoji} for label in invented if (emoji := singular(label))]
    return {**caption, "emoji_mappings": kept + added}


def _flattened(prediction: Prediction, exponent: float) -> Prediction:
    stated = prediction["confidence"]
    assert isinstance(stated, float)
    return {**prediction, "confidence": round(math.pow(stated, exponent), 3)}
