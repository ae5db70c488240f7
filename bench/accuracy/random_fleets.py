"""Fleets of detectors with habits drawn at random, for fitting constants that suit no fleet best and most fleets well.

All err in the way of the stand-ins (`dev.farm.answers.sightings`), but with other strengths, thresholds and
confidences, and some share no mistakes. Classifiers state their confidences in other ways, and captioners forget.
"""

import math
import random
from collections.abc import Iterator

from bench.accuracy.fleets import DETECTORS, as_predictions
from bench.accuracy.scenes import Answered, answered
from dev.farm.answers.detectors import RTDETR
from dev.farm.answers.dice import Prediction, dice
from dev.farm.answers.looks import look
from dev.farm.answers.sightings import DetectorProfile, sightings
from dev.farm.pictures import Picture
from dev.farm.truth import Scene

FLEETS_OF_A_SEED = 10
_CAPTIONERS, _CLASSIFIERS = ("blip", "ollama"), ("clip", "inception_v3")


def random_fleet(seed: int, number: int, count: int) -> Iterator[Answered]:
    """`count` scenes of a seed, answered by fleet `number` of it; every fleet has scenes of its own."""
    rng = dice("random fleet", seed, number)
    detectors = {name: _random_detector(name, rng) for name in DETECTORS}
    alone = {name: 1000 * place * (rng.random() < 0.3) for place, name in enumerate(DETECTORS)}
    exponent = {name: math.exp(rng.uniform(-1, 1)) for name in _CLASSIFIERS}
    forgotten = {name: rng.uniform(0, 0.3) for name in _CAPTIONERS}
    for one in answered(count, seed, first=number * count + 1):
        answers: dict[str, list[Prediction]] = {}
        for name, found in one.answers.items():
            if name in detectors:
                answers[name] = _sighted(detectors[name], one.scene, alone[name])
            elif name in exponent:
                answers[name] = [_restated(prediction, exponent[name]) for prediction in found]
            else:
                answers[name] = [_forgetful(prediction, forgotten.get(name, 0.0), rng) for prediction in found]
        yield Answered(one.scene, answers)


def _random_detector(name: str, rng: random.Random) -> DetectorProfile:
    return DetectorProfile(
        name,
        rng.choice((0.05, 0.25, 0.5)),
        strength=rng.uniform(0.6, 1.9),
        size_gain=rng.uniform(0.6, 1.2),
        own_strength=rng.uniform(0.7, 1.5),
        caution=rng.uniform(-0.5, 0.5),
        inflation=RTDETR.inflation * math.exp(rng.uniform(-0.7, 1.0)),
        looseness=rng.uniform(0.015, 0.06),
        phantoms=rng.uniform(-4.2, -2.2),
        mislabels=rng.uniform(0.02, 0.1),
        doubles=rng.uniform(0.03, 0.2),
    )


def _sighted(detector: DetectorProfile, scene: Scene, own: int) -> list[Prediction]:
    picture = Picture(b"", scene.width, scene.height, "JPEG", truth=scene)
    return as_predictions(sightings(detector, look(picture, scene, scene.seed + own)))


def _restated(prediction: Prediction, exponent: float) -> Prediction:
    stated = prediction["confidence"]
    assert isinstance(stated, float)
    return {**prediction, "confidence": round(math.pow(stated, exponent), 3)}


def _forgetful(prediction: Prediction, share: float, rng: random.Random) -> Prediction:
    mapped = prediction.get("emoji_mappings")
    if not isinstance(mapped, list):
        return prediction
    return {**prediction, "emoji_mappings": [one for one in mapped if rng.random() >= share]}
