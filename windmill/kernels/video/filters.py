"""Filters as data: what a step or an engine may ask for, and what ffmpeg is told. A value is a checked number or a
known word, so no text that somebody wrote reaches ffmpeg, where a filter could read files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from windmill.kernels.pictures.color_grading import LOOKS, ColorGrade
from windmill.kernels.video.styles import STYLES, style_filter

MOST_SIDE = 16_384


class BadFilter(ValueError):
    """There is no such filter, or it does not take such a value."""


@dataclass(frozen=True)
class VideoFilters:
    """What is done with each frame, in this order; the defaults do nothing. Each frame is worked on alone, so nothing
    shows where segments meet; `deflicker` alone looks at its neighbours."""

    deflicker: int = 0
    denoise: float = 0.0
    style: str = ""
    style_seed: int = 0
    scale: float = 1.0
    sharpen: float = 0.0
    look: str = "neutral"
    tone_map: bool = False
    grain: float = 0.0
    grain_seed: int = 0

    def render(self, number: int = 0) -> list[str]:
        """As ffmpeg takes them. `number` is that of the segment, so that grain differs from one to the next."""
        return [
            *([f"deflicker=size={self.deflicker}:mode=pm"] if self.deflicker else []),
            *([f"hqdn3d={8 * self.denoise:.3f}:{6 * self.denoise:.3f}:0:0"] if self.denoise else []),
            *([style_filter(self.style, self.style_seed)] if self.style else []),
            *([f"scale=iw*{self.scale:g}:ih*{self.scale:g}:flags=lanczos"] if self.scale != 1 else []),
            *([f"unsharp=5:5:{self.sharpen:.3f}:5:5:0"] if self.sharpen else []),
            *_grade(LOOKS[self.look]),
            *(["curves=all='0/0 0.25/0.28 0.75/0.74 1/0.96'"] if self.tone_map else []),
            *([_grain(self.grain, self.grain_seed + number)] if self.grain else []),
        ]


_BOUNDS: Mapping[str, tuple[float, float]] = {
    "deflicker": (0, 31),
    "denoise": (0, 1),
    "style_seed": (0, 2**32),
    "scale": (0.125, 8),
    "sharpen": (0, 1.5),
    "grain": (0, 1),
    "grain_seed": (0, 2**32),
}
_WHOLE = ("deflicker", "style_seed", "grain_seed")


def read_filters(document: Mapping[str, Any]) -> VideoFilters:
    """The filters of a document; raises BadFilter."""
    for name, value in document.items():
        if not _fits(name, value):
            raise BadFilter(f"{name}={value!r:.60} is no filter of videos, or not within its bounds")
    filters = VideoFilters(**document)
    if filters.deflicker == 1:
        raise BadFilter("deflicker is 0, or at least 2 frames")
    return filters


def _fits(name: str, value: object) -> bool:
    if name == "style":
        return value == "" or value in STYLES
    if name == "look":
        return value in LOOKS
    if name == "tone_map":
        return isinstance(value, bool)
    if name not in _BOUNDS or isinstance(value, bool) or not isinstance(value, int if name in _WHOLE else int | float):
        return False
    low, high = _BOUNDS[name]
    return low <= value <= high


def _grade(grade: ColorGrade) -> Sequence[str]:
    gains = [grade.red, grade.green, grade.blue]
    colors = [] if gains == [1, 1, 1] else [f"colorchannelmixer=rr={gains[0]:g}:gg={gains[1]:g}:bb={gains[2]:g}"]
    flat = grade.contrast == 1 and grade.saturation == 1
    return [*colors, *([] if flat else [f"eq=contrast={grade.contrast:g}:saturation={grade.saturation:g}"])]


def _grain(strength: float, seed: int) -> str:
    return f"noise=c0s={max(1, round(30 * strength))}:c0f=t:all_seed={seed % 2**31}"
