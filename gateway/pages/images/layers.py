"""The boxes of an image as they are drawn over it: a layer for each detector, and one of merged boxes. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from windmill.operate.inspection.boxes import InspectedBox, Place, SourceBox
from windmill.operate.inspection.reading import Inspection

LAYERS, TINTS = 8, 12
"""So many detectors and labels have a look of their own; the last one is that of all others."""
MERGED = "m"
_LETTERS_OF_WIDTH = 55
"""So many lines of names would fill the width of a picture as high."""


@dataclass(frozen=True)
class DrawnBox:
    """A box in pixels of the picture. `layer` and `tint` name classes of the style sheet: by who said it, and by what
    was said. `card` is the id of what tells more of it, and `seen` by how many services it was."""

    layer: str
    tint: int
    label: str
    confidence: float
    place: Place
    name_y: float
    told: str
    card: str = ""
    seen: int = 1
    name_within: bool = False


@dataclass(frozen=True)
class Toggle:
    """What is shown or hidden: a layer or a label, and how many boxes it has."""

    key: str
    name: str
    boxes: int


@dataclass(frozen=True)
class Drawing:
    """All of it, in the order in which it is drawn: merged boxes are on top, small ones above large ones."""

    width: int
    height: int
    letter: float
    boxes: tuple[DrawnBox, ...]
    layers: tuple[Toggle, ...]
    labels: tuple[Toggle, ...]

    @property
    def most_seen(self) -> int:
        """By how many services the box was seen that most have seen."""
        return max((one.seen for one in self.boxes), default=0)


def drawing(inspection: Inspection) -> Drawing | None:
    """None while nobody knows the size of the picture."""
    if inspection.size is None:
        return None
    width, height = inspection.size
    letter = round(width / _LETTERS_OF_WIDTH, 1)
    tints = tints_of(inspection)
    looks = {service: str(min(number, LAYERS - 1)) for number, service in enumerate(inspection.detectors)}
    drawn = [_source(box, looks[box.service], tints, letter) for box in inspection.sources]
    merged = [_merged(number, box, tints, letter) for number, box in enumerate(inspection.boxes)]
    return Drawing(
        width,
        height,
        letter,
        (*sorted(drawn, key=_area, reverse=True), *sorted(merged, key=_area, reverse=True)),
        _layers(inspection, looks),
        _labels(inspection, tints),
    )


def tints_of(inspection: Inspection) -> Mapping[str, int]:
    """The look of each label: those of merged boxes first, the surest first."""
    labels = dict.fromkeys([*(box.label for box in inspection.boxes), *(box.label for box in inspection.sources)])
    return {label: min(number, TINTS - 1) for number, label in enumerate(labels)}


def _source(box: SourceBox, layer: str, tints: Mapping[str, int], letter: float) -> DrawnBox:
    told = f"{box.service}: {box.label} {box.confidence:.2f}"
    return DrawnBox(layer, tints[box.label], box.label, box.confidence, box.place, _name_y(box.place, letter), told)


def _merged(number: int, box: InspectedBox, tints: Mapping[str, int], letter: float) -> DrawnBox:
    return DrawnBox(
        MERGED,
        tints[box.label],
        box.label,
        box.confidence,
        box.place,
        _name_y(box.place, letter),
        told_of(box),
        f"box-{number}",
        len(box.members),
        not _has_room_above(box.place, letter),
    )


def told_of(box: InspectedBox) -> str:
    """All about a merged box in one text, as a tooltip shows it."""
    lines = [f"{box.label} {box.confidence:.2f}, merged of:"]
    lines += [
        f"{one.service} {one.confidence:.2f}" + (f", IoU {one.iou:.2f}" if one.iou is not None else "")
        for one in box.members
    ]
    lines += [f"silent: {', '.join(box.silent)}"] if box.silent else []
    lines += [f"rival: {one.label} {one.probability:.2f} by {', '.join(one.services)}" for one in box.rivals]
    return "\n".join(lines)


def _name_y(place: Place, letter: float) -> float:
    """Above the box, or inside where there is no room above."""
    return round(place.y - letter * 0.4 if _has_room_above(place, letter) else place.y + letter * 1.1, 1)


def _has_room_above(place: Place, letter: float) -> bool:
    return place.y > letter * 1.4


def _area(box: DrawnBox) -> float:
    return box.place.width * box.place.height


def _layers(inspection: Inspection, looks: Mapping[str, str]) -> tuple[Toggle, ...]:
    """Detectors without a look of their own share the last one, and so one switch."""
    found: dict[str, list[str]] = {}
    for service, look in looks.items():
        found.setdefault(look, []).append(service)
    toggles = [
        Toggle(look, ", ".join(services), _count(inspection.sources, services)) for look, services in found.items()
    ]
    return (Toggle(MERGED, "merged", len(inspection.boxes)), *toggles)


def _count(sources: Sequence[SourceBox], services: Sequence[str]) -> int:
    return sum(box.service in services for box in sources)


def _labels(inspection: Inspection, tints: Mapping[str, int]) -> tuple[Toggle, ...]:
    counts: dict[int, int] = {}
    names: dict[int, list[str]] = {}
    for label, tint in tints.items():
        names.setdefault(tint, []).append(label)
    for label in (*(box.label for box in inspection.boxes), *(box.label for box in inspection.sources)):
        counts[tints[label]] = counts.get(tints[label], 0) + 1
    return tuple(
        Toggle(str(tint), labels[0] if len(labels) == 1 else f"{labels[0]} and {len(labels) - 1} more", counts[tint])
        for tint, labels in names.items()
    )
