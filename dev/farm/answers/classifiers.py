"""clip and inception_v3: labels for the whole picture, each from a vocabulary of its own."""

import math
import random
from collections.abc import Callable, Sequence

from dev.farm.answers.dice import Prediction, confidence, dice
from dev.farm.answers.looks import Look, look
from dev.farm.coco import LABELS
from dev.farm.emojis import singular, underscored
from dev.farm.layout import THEMES
from dev.farm.pictures import Picture

_CLIP_LEAST, _CLIP_MOST = 0.01, 10
INCEPTION_LEAST, _INCEPTION_MOST = 0.15, 5
_UNSEEN = ("an abstract pattern", "a photograph", "a close-up", "a blurry picture", "a texture")

# ImageNet has breeds and makes instead of most of the 80 labels, and no word for a person.
_IMAGENET = {
    "dog": ("golden_retriever", "beagle", "labrador_retriever"), "cat": ("tabby", "egyptian_cat"),
    "bird": ("robin", "jay"), "horse": ("sorrel",), "sheep": ("ram",), "cow": ("ox",),
    "elephant": ("african_elephant", "tusker"), "bear": ("brown_bear",), "zebra": ("zebra",),
    "car": ("sports_car", "convertible", "minivan"), "bus": ("trolleybus", "school_bus"),
    "truck": ("pickup", "trailer_truck"), "train": ("bullet_train", "locomotive"), "airplane": ("airliner",),
    "motorcycle": ("moped",), "bicycle": ("mountain_bike",), "boat": ("yawl", "sailboat"),
    "traffic light": ("traffic_light",), "bench": ("park_bench",), "chair": ("rocking_chair", "folding_chair"),
    "couch": ("studio_couch",), "bed": ("four-poster",), "dining table": ("dining_table",),
    "toilet": ("toilet_seat",), "tv": ("television", "screen"), "laptop": ("notebook", "laptop"),
    "mouse": ("mouse",), "remote": ("remote_control",), "keyboard": ("computer_keyboard",),
    "cell phone": ("cellular_telephone",), "microwave": ("microwave",), "toaster": ("toaster",),
    "refrigerator": ("refrigerator",), "oven": ("stove",), "sink": ("washbasin",), "clock": ("wall_clock",),
    "vase": ("vase",), "teddy bear": ("teddy",), "hair drier": ("hand_blower",), "umbrella": ("umbrella",),
    "backpack": ("backpack",), "handbag": ("purse",), "tie": ("bow_tie",), "skis": ("ski",),
    "sports ball": ("soccer_ball",), "baseball bat": ("baseball",), "tennis racket": ("racket",),
    "bottle": ("water_bottle",), "wine glass": ("red_wine",), "cup": ("coffee_mug", "espresso"),
    "bowl": ("soup_bowl",), "knife": ("cleaver",), "spoon": ("wooden_spoon", "ladle"), "banana": ("banana",),
    "apple": ("granny_smith",), "orange": ("orange",), "broccoli": ("broccoli",), "hot dog": ("hotdog",),
    "pizza": ("pizza",), "potted plant": ("flowerpot",), "parking meter": ("parking_meter",),
}  # fmt: skip


def clip(picture: Picture, seed: int) -> list[Prediction]:
    """A softmax over a vocabulary: many small shares, things and places mixed."""
    rng = dice("clip", seed, picture.identity)
    if picture.truth is None:
        shares = [(label, rng.uniform(0.02, 0.12)) for label in rng.sample(_UNSEEN, 3)]
    else:
        shares = _softmax(_clip_scores(look(picture, picture.truth, seed), rng))
    return [_labelled(label, share, underscored) for label, share in _top(shares, _CLIP_LEAST)[:_CLIP_MOST]]


def inception(picture: Picture, seed: int) -> list[Prediction]:
    rng = dice("inception", seed, picture.identity)
    if picture.truth is None:
        return []
    return as_inception(_top(_softmax(_imagenet_scores(look(picture, picture.truth, seed), rng)), INCEPTION_LEAST))


def as_inception(ranked: Sequence[tuple[str, float]]) -> list[Prediction]:
    """Few labels, one per emoji; all labels without an emoji count as one."""
    by_emoji: dict[str | None, Prediction] = {}
    for label, share in ranked[:_INCEPTION_MOST]:
        by_emoji.setdefault(singular(label), _labelled(label, share, singular))
    return list(by_emoji.values())


def _clip_scores(seen: Look, rng: random.Random) -> dict[str, float]:
    scores = {label: rng.gauss(-4.2, 1.0) for label in rng.sample(LABELS, 12)}
    scores |= {theme: rng.gauss(-2.5, 0.8) for theme in rng.sample(sorted(THEMES), 2)}
    scores[seen.scene.theme] = rng.gauss(1.0, 1.0)
    for label, prominence in _prominences(seen).items():
        scores[_misjudged(seen, label, rng, chance=0.15)] = prominence + rng.gauss(0, 1.6)
    return scores


def _imagenet_scores(seen: Look, rng: random.Random) -> dict[str, float]:
    scores = {rng.choice(rng.choice(list(_IMAGENET.values()))): rng.gauss(-1.5, 0.8) for _ in range(4)}
    scores["web_site"] = rng.gauss(-1.5, 0.6)
    for label, prominence in _prominences(seen).items():
        names = _IMAGENET.get(_misjudged(seen, label, rng, chance=0.15))
        if names:
            scores[rng.choice(names)] = prominence + rng.gauss(0.3, 0.9)
    return scores


def _prominences(seen: Look) -> dict[str, float]:
    """How much each label fills the picture, on a logarithmic scale around 0."""
    areas: dict[str, float] = {}
    for thing in seen.plain:
        areas[thing.label] = areas.get(thing.label, 0) + thing.box[2] * thing.box[3]
    return {
        label: 1.1 * math.log(area / (0.05 * seen.scene.width * seen.scene.height)) for label, area in areas.items()
    }


def _misjudged(seen: Look, label: str, rng: random.Random, chance: float) -> str:
    return seen.rival(label) if rng.random() < chance else label


def _softmax(scores: dict[str, float]) -> list[tuple[str, float]]:
    total = sum(math.exp(score) for score in scores.values())
    return [(label, math.exp(score) / total) for label, score in scores.items()]


def _top(shares: list[tuple[str, float]], least: float) -> list[tuple[str, float]]:
    return sorted((pair for pair in shares if pair[1] >= least), key=lambda pair: -pair[1])


def _labelled(label: str, share: float, lookup: Callable[[str], str | None]) -> Prediction:
    prediction: Prediction = {"label": label, "confidence": confidence(share)}
    emoji = lookup(label)
    return prediction | {"emoji": emoji} if emoji else prediction
