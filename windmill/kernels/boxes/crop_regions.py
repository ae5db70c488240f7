"""Crops of merged boxes: which services get one, which region it covers, and where predictions lie in the image.

Boxes are {x, y, width, height} or [x, y, width, height] in pixels from the upper left corner. Boxes and predictions may
be any JSON: unreadable ones are ignored.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

Enriches = Literal["persons", "boxes"]
"""Whether a service gets the boxes of persons, or all boxes."""

VERSION = 1
"""Increase it when the same box and answers give other data."""
MIN_SIDE = 24
"""Pixels; a smaller crop shows services too little, so it is extended into the image around the box."""

_PERSONS = {
    *("person", "persons", "people", "human", "humans", "man", "men", "woman", "women"),
    *("boy", "boys", "girl", "girls", "child", "children", "baby", "babies"),
}
_PERSON_EMOJIS = frozenset("🧑👩👨🧒👶👧👦🧓👴👵")
# A hyphen joins words: man-made is not a man.
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
# Variation selectors and skin tones; what follows a joiner only refines the person before it.
_MODIFIERS = re.compile("[\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]|\u200d.*", re.DOTALL)
_MAX_LABEL_LENGTH = 200
_MAX_COORDINATE = 1e9
"""A larger coordinate is invalid."""


class Rectangle(NamedTuple):
    """Whole pixels inside an image."""

    x: int
    y: int
    width: int
    height: int


def services_for_box(box: object, services: Mapping[str, Enriches]) -> tuple[str, ...]:
    """The services that get a crop of this merged box, in the given order; none for another name of an object that
    has its crop already."""
    if isinstance(box, dict) and box.get("rival_of"):
        return ()
    person = is_person(box)
    return tuple(name for name, enriches in services.items() if person or enriches == "boxes")


def is_person(box: object) -> bool:
    """Whether the label of a merged box contains a word for a person, or its emoji shows one."""
    if not isinstance(box, dict):
        return False
    label, emoji = box.get("label"), box.get("emoji")
    named = isinstance(label, str) and not _PERSONS.isdisjoint(_WORD.findall(label[:_MAX_LABEL_LENGTH].lower()))
    return named or (isinstance(emoji, str) and _MODIFIERS.sub("", emoji[:_MAX_LABEL_LENGTH]) in _PERSON_EMOJIS)


def crop_for(box: object, size: tuple[int, int], least: int = MIN_SIDE) -> Rectangle | None:
    """The crop for a merged box in an image of this (width, height): all pixels that it touches, extended if small.
    None if the box lies outside the image."""
    numbers = box_numbers(box)
    if numbers is None:
        return None
    x, y, width, height = numbers
    across, down = _span(x, width, size[0], least), _span(y, height, size[1], least)
    if across is None or down is None:
        return None
    return Rectangle(across[0], down[0], across[1], down[1])


def box_numbers(box: object) -> tuple[float, float, float, float] | None:
    """x, y, width and height of a merged box; None if it has none."""
    return _box(box.get("merged_bbox")) if isinstance(box, dict) else None


def locate_predictions(predictions: Sequence[object], crop: Rectangle) -> dict[str, Any]:
    """The stored document for a crop: the original predictions in crop coordinates, the crop, and the positions of each
    prediction in image pixels."""
    return {
        "predictions": predictions,
        "crop": crop._asdict(),
        "in_image": [in_image(prediction, crop) for prediction in predictions],
    }


def in_image(prediction: object, crop: Rectangle) -> dict[str, Any]:
    """Convert `bbox`, `keypoints` (crop pixels) and `landmarks` (shares of the crop's sides) of a prediction to image
    pixels."""
    if not isinstance(prediction, dict):
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
    for name, point in value.items() if isinstance(value, dict) else ():
        numbers = _numbers(point)
        if numbers is not None and len(numbers) >= 2:
            moved[name] = [_rounded(crop.x + numbers[0]), _rounded(crop.y + numbers[1])]
    return moved


def _scaled_points(value: object, crop: Rectangle) -> dict[str, dict[str, float]]:
    """Points {name: {x, y, z, visibility}}; the visibility is kept."""
    scaled = {}
    for name, point in value.items() if isinstance(value, dict) else ():
        numbers = _numbers([point.get("x"), point.get("y")]) if isinstance(point, dict) else None
        if numbers is not None:
            x, y = numbers
            scaled[name] = {"x": _rounded(crop.x + x * crop.width), "y": _rounded(crop.y + y * crop.height)}
            if (seen := _number(point.get("visibility"))) is not None:
                scaled[name]["visibility"] = seen
    return scaled


def _span(start: float, length: float, end: int, least: int) -> tuple[int, int] | None:
    """The first pixel and the number of pixels along one side of the image, which has `end` pixels."""
    first, last = max(0, math.floor(start)), min(end, math.ceil(start + length))
    if last <= first:
        return None
    wanted = max(last - first, min(least, end))
    return max(0, min(first - (wanted - (last - first)) // 2, end - wanted)), wanted


def _box(value: object) -> tuple[float, float, float, float] | None:
    """x, y, width and height of a box that is not empty."""
    if isinstance(value, dict):
        value = [value.get(key) for key in ("x", "y", "width", "height")]
    numbers = _numbers(value)
    if numbers is None or len(numbers) != 4 or numbers[2] <= 0 or numbers[3] <= 0:
        return None
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _numbers(value: object) -> list[float] | None:
    """A list of up to four numbers."""
    if not isinstance(value, list) or len(value) > 4:
        return None
    numbers = [number for part in value if (number := _number(part)) is not None]
    return numbers if len(numbers) == len(value) else None


def _number(value: object) -> float | None:
    """A finite number of plausible size; integers stay integers."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not -_MAX_COORDINATE <= value <= _MAX_COORDINATE
    ):
        return None
    return value


def _rounded(pixels: float) -> float:
    return round(pixels, 1)
