"""The boxes of an image as layers: those of each detector, and the merged ones with their members. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from windmill.kernels.boxes.detections import parse_detections
from windmill.kernels.boxes.geometry import corners, ious
from windmill.kernels.text.labels import normalise_label
from windmill.operate.inspection.findings import BoxFinding
from windmill.operate.show.image_report import box_of


class Place(NamedTuple):
    """In pixels of the upright image."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class SourceBox:
    """What one detector said, as it was merged."""

    service: str
    label: str
    emoji: str
    confidence: float
    place: Place


@dataclass(frozen=True)
class BoxMember:
    """A service that contributed to a merged box. `iou` is how far its own box agrees with the merged one; None where
    its answer has changed since."""

    service: str
    label: str
    confidence: float
    iou: float | None


@dataclass(frozen=True)
class RivalLabel:
    """Another name for the same pixels, and who gave it."""

    label: str
    emoji: str
    probability: float
    services: tuple[str, ...]


@dataclass(frozen=True)
class InspectedBox:
    """A merged box, everybody who had a part in it, and what services said of its crop."""

    key: str
    label: str
    emoji: str
    confidence: float
    place: Place
    members: tuple[BoxMember, ...]
    silent: tuple[str, ...]
    rivals: tuple[RivalLabel, ...]
    findings: tuple[BoxFinding, ...] = ()


def source_boxes(replies: Mapping[str, Mapping[str, Any]], size: tuple[int, int] | None) -> tuple[SourceBox, ...]:
    """Every usable detection of all services, the surest first."""
    found, _ = parse_detections({service: reply.get("predictions") for service, reply in replies.items()}, size)
    boxes = [
        SourceBox(found.services[service], found.labels[label], emoji, round(confidence, 3), _place(*edges))
        for service, label, emoji, confidence, edges in zip(
            found.service.tolist(),
            found.label.tolist(),
            found.emojis,
            found.confidence.tolist(),
            found.corners.tolist(),
            strict=True,
        )
    ]
    return tuple(sorted(boxes, key=lambda one: (-one.confidence, one.service, one.label)))


def _place(left: float, top: float, right: float, bottom: float) -> Place:
    return Place(*(round(value, 1) for value in (left, top, right - left, bottom - top)))


def inspected_box(
    key: str, data: Mapping[str, Any], sources: Sequence[SourceBox], findings: Sequence[BoxFinding] = ()
) -> InspectedBox | None:
    """A merged box from its `merged_data`; None where somebody has written one without a place."""
    shown = box_of(data, ())
    if shown.place is None:
        return None
    place = Place(*shown.place)
    return InspectedBox(
        key=key,
        label=shown.label,
        emoji=shown.emoji,
        confidence=shown.confidence or 0.0,
        place=place,
        members=tuple(_members(data, shown.label, place, sources)),
        silent=shown.silent,
        rivals=tuple(map(_rival, _objects(data.get("rivals")))),
        findings=tuple(findings),
    )


def _members(data: Mapping[str, Any], label: str, place: Place, sources: Sequence[SourceBox]) -> list[BoxMember]:
    """The surest first."""
    said = [(str(one.get("service")), _share(one.get("confidence"))) for one in _objects(data.get("detections"))]
    members = [_member(service, confidence, label, place, sources) for service, confidence in said]
    return sorted(members, key=lambda one: (-one.confidence, one.service))


def _member(service: str, confidence: float, label: str, place: Place, sources: Sequence[SourceBox]) -> BoxMember:
    """Of the boxes that the service gave this label, the nearest is the one that was merged."""
    own = [one for one in sources if one.service == service and one.label == normalise_label(label)]
    nearest = max((overlap(one.place, place) for one in own), default=0.0)
    return BoxMember(service, label, confidence, round(nearest, 2) if nearest else None)


def overlap(one: Place, other: Place) -> float:
    """Intersection over union."""
    return float(ious(corners([one]), corners([other]))[0, 0]) if np.isfinite((one, other)).all() else 0.0


def _rival(one: Mapping[str, Any]) -> RivalLabel:
    services = one.get("services")
    named = tuple(str(service) for service in services) if isinstance(services, list) else ()
    return RivalLabel(str(one.get("label") or ""), str(one.get("emoji") or ""), _share(one.get("probability")), named)


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _share(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
