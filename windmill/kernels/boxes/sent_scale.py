"""Moving the predictions of a service from the pixels of the picture that it was sent to those of the image itself.

`results.data` holds a reply as it came, in pixels of what was sent; all that derives from it is in upright pixels of
the image at its full size.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Number = int | float


@dataclass(frozen=True, slots=True)
class SentScale:
    """Factors from what was sent to the image, and the size of the upright image."""

    size: tuple[int, int]
    across: float = 1.0
    down: float = 1.0


def read_sent_scale(image_sent: object) -> SentScale | None:
    """What `results.image_sent` says; None if the image went out as it is, or the document is not one of ours."""
    if not isinstance(image_sent, Mapping):
        return None
    size = _size(image_sent)
    if size is None:
        return None
    sent = _size(image_sent.get("sent")) or size
    return SentScale(size, size[0] / sent[0], size[1] / sent[1])


def scale_reply(reply: dict[str, Any], scale: SentScale | None) -> dict[str, Any]:
    """The reply with boxes and keypoints in pixels of the image. Landmarks are shares of its sides, and stay."""
    predictions = reply.get("predictions")
    if scale is None or (scale.across == 1 and scale.down == 1) or not isinstance(predictions, list):
        return reply
    return {**reply, "predictions": [_scaled(one, scale) for one in predictions]}


def _size(value: object) -> tuple[int, int] | None:
    if not isinstance(value, Mapping):
        return None
    width, height = value.get("width"), value.get("height")
    if type(width) is not int or type(height) is not int or not (0 < width < 2**31 and 0 < height < 2**31):
        return None
    return width, height


def _scaled(prediction: object, scale: SentScale) -> object:
    if not isinstance(prediction, dict):
        return prediction
    moved = dict(prediction)
    if "bbox" in moved:
        moved["bbox"] = _scaled_box(moved["bbox"], scale)
    if isinstance(moved.get("keypoints"), dict):
        moved["keypoints"] = {name: _scaled_list(point, scale) for name, point in moved["keypoints"].items()}
    return moved


def _scaled_box(box: object, scale: SentScale) -> object:
    if not isinstance(box, dict):
        return _scaled_list(box, scale)
    factors = {"x": scale.across, "width": scale.across, "y": scale.down, "height": scale.down}
    return {key: _times(value, factors.get(key, 1.0)) for key, value in box.items()}


def _scaled_list(numbers: object, scale: SentScale) -> object:
    """x and y, or x, y, width and height."""
    if not isinstance(numbers, list):
        return numbers
    return [_times(value, scale.down if at % 2 else scale.across) for at, value in enumerate(numbers[:4])]


def _times(value: object, factor: float) -> object:
    """Not rounded: a box that is rounded at every step creeps. What is no number stays for the reader to reject."""
    return value * factor if isinstance(value, Number) and not isinstance(value, bool) else value
