"""The colours service's `regions` parameter: the same analysis for each tile of a grid, joined into one palette."""

import io
import math
from collections.abc import Callable, Iterator
from typing import Any

from PIL import Image

PredictTile = Callable[[bytes], list[dict[str, Any]]]


def region_count(given: str | None) -> int:
    """How many regions a parameter means: 1 is the whole picture, and odd numbers above one act as 4."""
    number = int(given[:6]) if given and given.isdecimal() else 1
    if number <= 1:
        return 1
    return number if number in (4, 9, 16) else 4


def palette_by_regions(data: bytes, regions: int, look: PredictTile) -> list[dict[str, Any]]:
    """The colours of all tiles, each hex once, in the order of the tiles."""
    colors: dict[str, dict[str, Any]] = {}
    for tile in _tiles(data, math.isqrt(regions)):
        for color in look(tile)[0]["palette"]["colors"]:
            colors.setdefault(color["hex"], color)
    return list(colors.values())


def _tiles(data: bytes, side: int) -> Iterator[bytes]:
    with Image.open(io.BytesIO(data)) as image:
        picture = image.convert("RGB")
    width, height = max(1, picture.width // side), max(1, picture.height // side)
    for row in range(side):
        for column in range(side):
            left = min(column * width, picture.width - width)
            top = min(row * height, picture.height - height)
            buffer = io.BytesIO()
            picture.crop((left, top, left + width, top + height)).save(buffer, "PNG", compress_level=1)
            yield buffer.getvalue()
