"""What enrichment does with a box: which services look at it, what is cut out for them, where their answers lie.

Boxes are {x, y, width, height} or [x, y, width, height] in pixels, x and y of the upper left corner. Boxes and
predictions may be any JSON: what cannot be read is left out.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

Enriches = Literal["persons", "boxes"]
"""Whether a service looks at the boxes of persons, or at every box."""

VERSION = 1
"""To be raised when the same box and answers come to other data."""
LEAST_SIDE = 24
"""Pixels; smaller crops show services too little. It is the image around the box that makes up for the rest."""

_PERSONS = {
    *("person", "persons", "people", "human", "humans", "man", "men", "woman", "women"),
    *("boy", "boys", "girl", "girls", "child", "children", "baby", "babies"),
}
_PERSON_EMOJIS = frozenset("🧑👩👨🧒👶👧👦🧓👴👵")
# A hyphen joins: what is man-made is no man.
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
# Variation selectors and the tones of skin; what follows a joiner only says more of who stands before it.
_MODIFIERS = re.compile("[\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]|\u200d.*", re.DOTALL)
_LONGEST_LABEL = 200
_MOST = 1e9
"""A greater coordinate is none."""


class Rectangle(NamedTuple):
    """Whole pixels inside an image."""

    x: int
    y: int
    width: int
    height: int


def plan(box: object, services: Mapping[str, Enriches]) -> tuple[str, ...]:
    """The services that look at a merged box, in the order in which they are given."""
    person = is_person(box)
    return tuple(name for name, enriches in services.items() if person or enriches == "boxes")


def is_person(box: object) -> bool:
    """Whether the label of a merged box holds a word for a person, or its emoji shows one."""
    if not isinstance(box, Mapping):
        return False
    label, emoji = box.get("label"), box.get("emoji")
    named = isinstance(label, str) and not _PERSONS.isdisjoint(_WORD.findall(label[:_LONGEST_LABEL].lower()))
    return named or (isinstance(emoji, str) and _MODIFIERS.sub("", emoji[:_LONGEST_LABEL]) in _PERSON_EMOJIS)


def crop_of(box: object, size: tuple[int, int], least: int = LEAST_SIDE) -> Rectangle | None:
    """What to cut out of an image of this (width, height): all pixels that the merged box touches, and more around
    them where it is small. None when the box has no pixel in the image."""
    numbers = _box(box.get("merged_bbox")) if isinstance(box, Mapping) else None
    if numbers is None:
        return None
    x, y, width, height = numbers
    across, down = _span(x, width, size[0], least), _span(y, height, size[1], least)
    if across is None or down is None:
        return None
    return Rectangle(across[0], down[0], across[1], down[1])


def located(predictions: Sequence[object], crop: Rectangle) -> dict[str, Any]:
    """What a service said of a crop, as it is stored: its predictions as they came, in the crop's coordinates, where
    the crop lies, and for each prediction what of it has a place, in pixels of the image."""
    return {
        "predictions": predictions,
        "crop": crop._asdict(),
        "in_image": [in_image(prediction, crop) for prediction in predictions],
    }


def in_image(prediction: object, crop: Rectangle) -> dict[str, Any]:
    """`bbox`, `keypoints` (pixels of the crop) and `landmarks` (shares of its sides) of one prediction, where it has
    them, in pixels of the image that the crop was cut out of."""
    if not isinstance(prediction, Mapping):
        return {}
    found = {
        "bbox": _moved_box(prediction.get("bbox"), crop),
        "keypoints": _moved_points(prediction.get("keypoints"), crop),
        "landmarks": _scaled_points(prediction.get("landmarks"), crop),
    }
    return {name: value for name, value in found.items() if value}


def _moved_box(value: object, crop: Rectangle) -> dict[str, float] | None:
    numbers = _box(value)
    if numbers is None:
        return None
    x, y, width, height = numbers
    return {"x": _rounded(crop.x + x), "y": _rounded(crop.y + y), "width": width, "height": height}


def _moved_points(value: object, crop: Rectangle) -> dict[str, list[float]]:
    """Points {name: [x, y]}."""
    moved = {}
    for name, point in value.items() if isinstance(value, Mapping) else ():
        numbers = _numbers(point)
        if numbers is not None and len(numbers) >= 2:
            moved[name] = [_rounded(crop.x + numbers[0]), _rounded(crop.y + numbers[1])]
    return moved


def _scaled_points(value: object, crop: Rectangle) -> dict[str, dict[str, float]]:
    """Points {name: {x, y, z, visibility}}; how well each is seen stays with it."""
    scaled = {}
    for name, point in value.items() if isinstance(value, Mapping) else ():
        numbers = _numbers([point.get("x"), point.get("y")]) if isinstance(point, Mapping) else None
        if numbers is not None:
            x, y = numbers
            scaled[name] = {"x": _rounded(crop.x + x * crop.width), "y": _rounded(crop.y + y * crop.height)}
            if (seen := _number(point.get("visibility"))) is not None:
                scaled[name]["visibility"] = seen
    return scaled


def _span(start: float, length: float, end: int, least: int) -> tuple[int, int] | None:
    """First pixel and number of pixels along one side of the image, which has `end` pixels."""
    first, last = max(0, math.floor(start)), min(end, math.ceil(start + length))
    if last <= first:
        return None
    wanted = max(last - first, min(least, end))
    return max(0, min(first - (wanted - (last - first)) // 2, end - wanted)), wanted


def _box(value: object) -> tuple[float, float, float, float] | None:
    """x, y, width and height of a box that has a size."""
    if isinstance(value, Mapping):
        value = [value.get(key) for key in ("x", "y", "width", "height")]
    numbers = _numbers(value)
    if numbers is None or len(numbers) != 4 or numbers[2] <= 0 or numbers[3] <= 0:
        return None
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _numbers(value: object) -> list[float] | None:
    """A short list of numbers and nothing else."""
    if not isinstance(value, list) or len(value) > 4:
        return None
    numbers = [number for part in value if (number := _number(part)) is not None]
    return numbers if len(numbers) == len(value) else None


def _number(value: object) -> float | None:
    """A finite number of a sensible size; whole ones stay whole."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_MOST <= value <= _MOST:
        return None
    return value


def _rounded(pixels: float) -> float:
    return round(pixels, 1)
