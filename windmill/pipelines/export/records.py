"""An image as exports have it: its search row, boxes and votes, in one flat document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

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


def record_of(image: ExportedImage, root: Path, min_confidence: float) -> Record:
    """Paths are told from IMAGE_ROOT on, and not at all elsewhere."""
    hit, row = image.hit, image.hit.image.row
    values: Sequence[Any] = (
        *(hit.image.image_id, hit.name, _location(hit.image_path, hit.image_url, root), hit.group),
        *(row.width, row.height, row.taken, row.camera),
        [{"label": label, "probability": chance / 1000} for label, chance in row.labels.items()],
        *(row.persons, row.faces, list(row.colours), None if row.nsfw is None else row.nsfw / 1000, row.text),
        None if row.phash is None else f"{row.phash & 2**64 - 1:016x}",
        [box for one in image.boxes if (box := _box(one)) and box["confidence"] >= min_confidence],
        [{"emoji": one.emoji, "probability": one.probability} for one in image.votes],
    )
    return dict(zip(COLUMNS, values, strict=True))


def _location(path: str | None, url: str | None, root: Path) -> str | None:
    if path is None:
        return url
    return str(Path(path).relative_to(root)) if str(root) != "/" and Path(path).is_relative_to(root) else None


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
