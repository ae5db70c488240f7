"""nsfw2: always one answer, right in 95 % of scenes, and always no for pictures without truth."""

from dev.farm.answers.dice import Prediction, confidence, dice
from dev.farm.emojis import NSFW
from dev.farm.pictures import Picture

_MISSED, _FALSE_ALARM = 0.12, 0.01


def answer(picture: Picture, seed: int) -> list[Prediction]:
    """One prediction: the verdict and how sure it is."""
    rng = dice("nsfw2", seed, picture.identity)
    truth = picture.truth is not None and picture.truth.nsfw
    wrong = picture.truth is not None and rng.random() < (_MISSED if truth else _FALSE_ALARM)
    verdict = truth != wrong
    sureness = rng.uniform(0.5, 0.75) if wrong else 1 - rng.betavariate(1.2, 12)
    return [prediction(verdict, max(sureness, 0.501))]


def prediction(verdict: bool, sureness: float) -> Prediction:
    """What the service says of a picture."""
    return {"confidence": confidence(sureness), "emoji": NSFW if verdict else "", "nsfw": verdict}
