"""Names of colours that people search for, each for a range of what a palette may hold."""

import colorsys
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

COLOURS = ("black", "white", "grey", "brown", "red", "orange", "yellow", "green", "blue", "purple", "pink")
MOST_COLOURS = 4
"""Of a palette, which begins with what fills the picture most; the rest is in nearly every picture."""
_HEX = re.compile(r"#?([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")
# The upper end of each range, in degrees.
_HUES = ((15, "red"), (42, "orange"), (68, "yellow"), (165, "green"), (250, "blue"), (295, "purple"), (345, "pink"))


def colours_of(predictions: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The names of the first colours of the palettes, each once."""
    found = dict.fromkeys(name for one in predictions for entry in _entries(one) if (name := colour_name(entry)))
    return tuple(found)[:MOST_COLOURS]


def _entries(prediction: Mapping[str, Any]) -> Iterator[object]:
    palette = prediction.get("palette")
    colours = palette.get("colors") if isinstance(palette, dict) else None
    for entry in (prediction.get("primary"), *(colours if isinstance(colours, list) else ())):
        yield entry.get("hex") if isinstance(entry, dict) else None


def colour_name(value: object) -> str | None:
    """The name of a colour such as `#d1e0e3`; None if it is none."""
    match = _HEX.fullmatch(value) if isinstance(value, str) else None
    if not match:
        return None
    hue, lightness, saturation = colorsys.rgb_to_hls(*(int(part, 16) / 255 for part in match.groups()))
    if lightness < 0.13 or lightness > 0.92:
        return "black" if lightness < 0.13 else "white"
    if saturation < 0.15:
        return "grey"
    name = next((name for end, name in _HUES if hue * 360 < end), "red")
    return "brown" if name in ("red", "orange") and lightness < 0.4 and saturation < 0.75 else name
