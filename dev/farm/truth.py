"""The ground truth of a picture, and embedding it in a JPEG or PNG file without changing pixels.

JPEG: an APP9 segment; a comment would not do, as Pillow copies comments into crops, which must lose the truth.
PNG: a tEXt chunk. Both begin with `windmill-scene`.
"""

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dev.farm.coco import KINDS

SCHEMA = 1
_MOST_THINGS = 500
MARK = b"windmill-scene\0"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_APP9, _START_OF_SCAN = 0xE9, 0xDA

PixelBox = tuple[int, int, int, int]
"""x, y, width, height in whole pixels, x and y being the top left corner."""


@dataclass(frozen=True, slots=True)
class Thing:
    """An object, and the box of its face where one is drawn."""

    label: str
    box: PixelBox
    face: PixelBox | None = None


@dataclass(frozen=True, slots=True)
class Writing:
    """Words that can be read in the picture."""

    text: str
    box: PixelBox


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that is known about one drawn picture; things are in painting order, the nearest last."""

    seed: int
    index: int
    width: int
    height: int
    theme: str
    things: tuple[Thing, ...]
    writings: tuple[Writing, ...]
    colors: tuple[str, ...]
    caption: str
    nsfw: bool = False


def to_json(scene: Scene) -> bytes:
    """The scene as canonical ASCII JSON: equal scenes give equal bytes."""
    document = {
        "schema": SCHEMA,
        "seed": scene.seed,
        "index": scene.index,
        "width": scene.width,
        "height": scene.height,
        "theme": scene.theme,
        "objects": [_thing_document(thing) for thing in scene.things],
        "texts": [{"text": writing.text, "bbox": list(writing.box)} for writing in scene.writings],
        "colors": list(scene.colors),
        "caption": scene.caption,
        "nsfw": scene.nsfw,
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")


def from_json(document: bytes) -> Scene | None:
    """The scene in a document; None if it is not a valid one, because clients can send anything."""
    try:
        fields = json.loads(document)
        return _scene(fields) if fields["schema"] == SCHEMA else None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def embed(image: bytes, scene: Scene) -> bytes:
    """The same encoded picture with the truth inside."""
    payload = MARK + to_json(scene)
    if image.startswith(b"\xff\xd8"):
        return image[:2] + struct.pack(">BBH", 0xFF, _APP9, len(payload) + 2) + payload + image[2:]
    if image.startswith(_PNG_SIGNATURE):
        after_header = len(_PNG_SIGNATURE) + 25
        return image[:after_header] + _png_chunk(b"tEXt", payload) + image[after_header:]
    raise ValueError("truth can be put into JPEG and PNG files only")


def extract(image: bytes) -> Scene | None:
    """The truth inside an encoded picture, if there is any; decodes no pixel."""
    parts = _png_texts(image) if image.startswith(_PNG_SIGNATURE) else _jpeg_app9(image)
    for payload in parts:
        if payload.startswith(MARK):
            return from_json(payload[len(MARK) :])
    return None


def _thing_document(thing: Thing) -> dict[str, Any]:
    document: dict[str, Any] = {"label": thing.label, "bbox": list(thing.box)}
    if thing.face:
        document["face"] = list(thing.face)
    return document


def _scene(fields: dict[str, Any]) -> Scene:
    scene = _unchecked(fields)
    boxes = [thing.box for thing in scene.things] + [writing.box for writing in scene.writings]
    inside = all(x >= 0 and y >= 0 and x + w <= scene.width and y + h <= scene.height for x, y, w, h in boxes)
    if not inside or len(boxes) > _MOST_THINGS or any(thing.label not in KINDS for thing in scene.things):
        raise ValueError("not a scene that can be answered for")
    return scene


def _unchecked(fields: dict[str, Any]) -> Scene:
    return Scene(
        seed=int(fields["seed"]),
        index=int(fields["index"]),
        width=int(fields["width"]),
        height=int(fields["height"]),
        theme=str(fields["theme"]),
        things=tuple(
            Thing(str(o["label"]), _box(o["bbox"]), _box(o["face"]) if "face" in o else None) for o in fields["objects"]
        ),
        writings=tuple(Writing(str(t["text"]), _box(t["bbox"])) for t in fields["texts"]),
        colors=tuple(str(color) for color in fields["colors"]),
        caption=str(fields["caption"]),
        nsfw=bool(fields["nsfw"]),
    )


def _box(numbers: list[int]) -> PixelBox:
    x, y, width, height = (int(number) for number in numbers)
    if width < 1 or height < 1:
        raise ValueError("an empty box")
    return x, y, width, height


def _png_chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def _png_texts(image: bytes) -> Iterator[bytes]:
    at = len(_PNG_SIGNATURE)
    while at + 8 <= len(image):
        length, kind = struct.unpack_from(">I4s", image, at)
        if kind == b"IDAT":
            return
        if kind == b"tEXt":
            yield image[at + 8 : at + 8 + length]
        at += 12 + length


def _jpeg_app9(image: bytes) -> Iterator[bytes]:
    at = 2 if image.startswith(b"\xff\xd8") else len(image)
    while at + 4 <= len(image):
        lead, marker, length = struct.unpack_from(">BBH", image, at)
        if lead != 0xFF or marker == _START_OF_SCAN:
            return
        if marker == _APP9:
            yield image[at + 4 : at + 2 + length]
        at += 2 + max(length, 2)
