"""Boxes as hosted detectors predict them, in the form in which services of the fleet have theirs merged. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from windmill.engines.outputs import bad_output

_LABELS, _SCORES, _BOXES = ("class_name", "label", "class", "name"), ("confidence", "score"), ("bbox", "box")
_CORNERS, _SIDES = ("x1", "y1", "x2", "y2"), ("x", "y", "width", "height")


def boxes_of(predictions: Sequence[object], seen_by: str) -> list[dict[str, Any]]:
    """All of them; raises BAD_RESPONSE if one is no box with a name and a confidence."""
    return [_box(one, seen_by) for one in predictions]


def _box(prediction: object, seen_by: str) -> dict[str, Any]:
    if not isinstance(prediction, Mapping):
        raise bad_output("a prediction is no object")
    label, score = _first(prediction, _LABELS), _number(_first(prediction, _SCORES))
    if not isinstance(label, str) or not label or not 0 <= score <= 1:
        raise bad_output("a prediction has no class_name, or no confidence from 0 to 1")
    left, top, width, height = _sides(_first(prediction, _BOXES))
    place = {"x": left, "y": top, "width": width, "height": height}
    return {"label": label, "confidence": score, "merged_bbox": place, "contributing_services": [seen_by]}


def _sides(box: object) -> tuple[float, float, float, float]:
    """Left, top, width and height, of corners by name, of sides by name, or of a list of corners."""
    given: Mapping[str, object] = box if isinstance(box, Mapping) else {}
    if isinstance(box, list) and len(box) == 4:
        given = dict(zip(_CORNERS, box, strict=True))
    if all(name in given for name in _CORNERS):
        left, top, right, bottom = (_number(given[name]) for name in _CORNERS)
        sides = (left, top, right - left, bottom - top)
    else:
        left, top, width, height = (_number(given.get(name)) for name in _SIDES)
        sides = (left, top, width, height)
    if not all(map(math.isfinite, sides)) or sides[2] <= 0 or sides[3] <= 0:
        raise bad_output("a prediction has no bbox with x1, y1, x2 and y2")
    return sides


def _first(prediction: Mapping[str, Any], names: Sequence[str]) -> object:
    return next((prediction[name] for name in names if name in prediction), None)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
