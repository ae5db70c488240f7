"""The merged boxes of an image as they are stored: in one document, as all of them are written and read together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from windmill.core.jsonb import parse_objects, render_jsonb
from windmill.storage.database import Connection
from windmill.storage.queries import queries

NEW = 0
"""The number of a box that has none yet."""


@dataclass(frozen=True)
class StoredBox:
    """A box with its place when its key was given, and its document."""

    merged_id: int
    box_key: str
    anchor: tuple[int, ...]
    data: dict[str, Any]


@dataclass(frozen=True)
class StoredBoxes:
    """The boxes of an image, and the results they were made from."""

    boxes: tuple[StoredBox, ...] = ()
    source_result_ids: tuple[int, ...] = ()


def parse_boxes(text: str) -> tuple[StoredBox, ...]:
    """In the order of their ids; without those that somebody has made unreadable by hand."""
    boxes = (_box(one) for one in parse_objects(text))
    return tuple(sorted((box for box in boxes if box), key=lambda box: box.merged_id))


def _box(row: dict[str, Any]) -> StoredBox | None:
    number, key, anchor, data = (row.get(name) for name in ("merged_id", "box_key", "anchor", "data"))
    if not isinstance(number, int) or not isinstance(key, str):
        return None
    place = tuple(anchor) if isinstance(anchor, list) else ()
    return StoredBox(number, key, place, data if isinstance(data, dict) else {})


def render_boxes(boxes: Iterable[StoredBox]) -> str:
    return render_jsonb(
        [{"merged_id": one.merged_id, "box_key": one.box_key, "anchor": one.anchor, "data": one.data} for one in boxes]
    )


async def read_boxes(connection: Connection, image_ids: Sequence[int]) -> dict[int, StoredBoxes]:
    """Of each image that was merged."""
    rows = await connection.fetch(queries()["read_boxes"], list(image_ids))
    return {row["image_id"]: StoredBoxes(parse_boxes(row["box_rows"]), tuple(row["source_result_ids"])) for row in rows}
