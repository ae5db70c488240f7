"""Canaries: pictures with a known answer, by which a service shows that it still finds what it is there to find.

Some services, once something went wrong inside, answer every picture with success and nothing found.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from windmill.calling.probe_image import PROBE_IMAGE
from windmill.core.outcomes import Stored
from windmill.core.services import CanaryKind, Service

CANARY_COLOR = (200, 30, 40)
_FOLDER = Path(__file__).resolve().parents[1] / "data" / "canaries"
_COLOR_TOLERANCE = 64


@cache
def canary_image(kind: CanaryKind) -> bytes:
    """The picture that shows one face, a body, words, or a plain colour."""
    return (_FOLDER / f"{kind}.jpg").read_bytes()


def image_for_probes(service: Service) -> bytes:
    """What a probe sends: the canary of the service, or a picture that every service can answer."""
    return canary_image(service.canary) if service.canary else PROBE_IMAGE


def predictions_of(stored: Stored) -> Sequence[Any]:
    """The predictions in an answer."""
    predictions = orjson.loads(stored.data).get("predictions")
    return predictions if isinstance(predictions, list) else []


def finds_canary(kind: CanaryKind, predictions: Sequence[Any]) -> bool:
    """Whether these predictions for the canary name what it shows."""
    if kind == "color":
        return any(_is_near(_primary_hex(one)) for one in predictions)
    return finds_something(kind, predictions)


def finds_something(kind: CanaryKind, predictions: Sequence[Any]) -> bool:
    """Whether predictions contain anything of this kind; the function finds_nothing in SQL is its opposite."""
    if kind == "words":
        return any(isinstance(one, dict) and one.get("text") for one in predictions)
    if kind == "color":
        return any(_primary_hex(one) for one in predictions)
    return bool(predictions)


def _primary_hex(prediction: object) -> str:
    primary = prediction.get("primary") if isinstance(prediction, dict) else None
    color = primary.get("hex") if isinstance(primary, dict) else None
    return color if isinstance(color, str) else ""


def _is_near(color: str) -> bool:
    try:
        red, green, blue = bytes.fromhex(color.removeprefix("#"))
    except ValueError:
        return False
    return all(
        abs(one - shown) <= _COLOR_TOLERANCE for one, shown in zip((red, green, blue), CANARY_COLOR, strict=True)
    )
