"""Parses stored merged boxes, from any JSON, for the vote."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from windmill.kernels.text.labels import normalise_label
from windmill.kernels.votes.ballots import confidence_of, text_of
from windmill.kernels.votes.emojis import group_of

_MAX_BOXES = 2000
_MAX_SERVICES = 100
_MAX_KEY_LENGTH = 200
_MAX_COORDINATE = 1e9


@dataclass(frozen=True)
class SeenBox:
    """One box; `detection_count` is how many services saw it."""

    key: str
    label: str
    emoji: str
    bbox: Mapping[str, float]
    confidence: float | None
    detection_count: int
    services: tuple[str, ...]
    spellings: Mapping[str, int]


def merged_boxes(documents: Iterable[object], labels: Mapping[str, str]) -> list[SeenBox]:
    """The boxes with an emoji by confidence, in an order independent of the input order."""
    boxes = [box for document in documents if (box := _box(document, labels)) is not None]
    return sorted(boxes, key=lambda box: (-(box.confidence or 0.0), box.key, box.label, sorted(box.bbox.items())))[
        :_MAX_BOXES
    ]


def box_key_of(value: object) -> str:
    """The key by which crops refer to a box."""
    return text_of(value, _MAX_KEY_LENGTH)


def _box(document: object, labels: Mapping[str, str]) -> SeenBox | None:
    if not isinstance(document, dict) or document.get("rival_of"):
        return None  # another name of an object that counts already
    label = text_of(document.get("label"))
    spellings = (document.get("emoji"), labels.get(normalise_label(label)))
    spelt = next((one for one in spellings if group_of(one)), None)
    emoji = group_of(spelt)
    if emoji is None:
        return None
    services = _services(document.get("contributing_services"))
    return SeenBox(
        box_key_of(document.get("box_key")),
        label,
        emoji,
        _sides(document.get("merged_bbox")),
        confidence_of(document.get("confidence")),
        _count(document.get("detection_count"), len(services)),
        services,
        {str(spelt).strip(): 1},
    )


def _services(value: object) -> tuple[str, ...]:
    names = value[:_MAX_SERVICES] if isinstance(value, list | tuple) else ()
    return tuple(sorted({text_of(name) for name in names} - {""}))


def _count(value: object, seen: int) -> int:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MAX_SERVICES
    return value if is_count else max(seen, 1)  # type: ignore[return-value]


def _sides(value: object) -> dict[str, float]:
    """The sides that are numbers."""
    sides: Mapping[str, Any] = value if isinstance(value, dict) else {}
    return {key: sides[key] for key in ("x", "y", "width", "height") if _is_number(sides.get(key))}


def _is_number(value: object) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and -_MAX_COORDINATE <= value <= _MAX_COORDINATE
    )
