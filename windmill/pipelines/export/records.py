"""An image as exports have it: its search row, boxes and votes, in one flat document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from windmill.core.image_places import PlaceRules
from windmill.storage.search.exported import ExportedImage

Record: TypeAlias = Mapping[str, Any]
COLUMNS = (
    "image_id",
    "name",
    "location",
    "group",
    "width",
    "height",
    "taken",
    "camera",
    "labels",
    "persons",
    "faces",
    "colours",
    "nsfw",
    "text",
    "phash",
    "boxes",
    "votes",
)
"""Of every record, in this order."""


@dataclass(frozen=True)
class ShardImage:
    """A record, and where its picture is read."""

    record: Record
    image_path: str | None
    image_url: str | None


@dataclass(frozen=True)
class RecordRules:
    """What of an image is exported: boxes from a confidence on, and where it lies as far as that may be told."""

    places: PlaceRules
    min_confidence: float


def record_of(image: ExportedImage, rules: RecordRules) -> Record:
    hit, row = image.hit, image.hit.image.row
    values: Sequence[Any] = (
        *(hit.image.image_id, hit.name, rules.places.shown(hit.image_path, hit.image_url), hit.group),
        *(row.width, row.height, row.taken, row.camera),
        [{"label": label, "probability": chance / 1000} for label, chance in row.labels.items()],
        *(row.persons, row.faces, list(row.colours), None if row.nsfw is None else row.nsfw / 1000, row.text),
        None if row.phash is None else f"{row.phash & 2**64 - 1:016x}",
        [box for box in boxes_of(image) if box["confidence"] >= rules.min_confidence],
        [{"emoji": one.emoji, "probability": one.probability} for one in image.votes],
    )
    return dict(zip(COLUMNS, values, strict=True))


def boxes_of(image: ExportedImage) -> list[dict[str, Any]]:
    """All of them, however unlikely."""
    return [box for one in image.boxes if (box := _box(one))]


def _box(merged: Mapping[str, Any]) -> dict[str, Any] | None:
    """None for a row that somebody wrote by hand and that is no box."""
    place = merged.get("merged_bbox")
    found = [place.get(one) for one in ("x", "y", "width", "height")] if isinstance(place, Mapping) else []
    sides = [float(one) for one in found if isinstance(one, int | float)]
    if len(sides) != 4 or not isinstance(merged.get("confidence"), int | float):
        return None
    x, y, width, height = sides
    return {
        "box_id": merged["merged_id"],
        "label": str(merged.get("label", "")),
        "confidence": float(merged["confidence"]),
        **{"x": x, "y": y, "width": width, "height": height},
    }
