"""How near a video that was made is to its source, and how much it flickers beside it, by segment and in all."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

_DIGITS = 4


@dataclass(frozen=True)
class SegmentQuality:
    """Of one segment. `ssim` is the mean of its frames, 1 for equal ones, and `least_ssim` that of the worst; `flicker`
    is how far brightness moves from one frame to the next, in levels of 255, and `source_flicker` the same of the
    source."""

    segment: int
    frames: int
    ssim: float
    least_ssim: float
    flicker: float
    source_flicker: float

    def document(self) -> dict[str, Any]:
        return asdict(self)


def segment_quality(
    segment: int, ssim: Sequence[float], changes: Sequence[float], source_changes: Sequence[float]
) -> SegmentQuality | None:
    """Of a number for each frame; the first has none before it. None where no frame was compared."""
    if not ssim:
        return None
    flickers = (fmean(moved[1:]) if moved[1:] else 0.0 for moved in (changes, source_changes))
    numbers = [round(one, _DIGITS) for one in (fmean(ssim), min(ssim), *flickers)]
    return SegmentQuality(segment, len(ssim), *numbers)


def quality_report(segments: Sequence[SegmentQuality], planned: int) -> dict[str, Any]:
    """Of the whole, each frame counting alike, and of its segments; at least one was measured, of so many planned."""

    def mean(name: str) -> float:
        return round(fmean((getattr(one, name) for one in segments), [one.frames for one in segments]), _DIGITS)

    means = {name: mean(name) for name in ("ssim", "flicker", "source_flicker")}
    measured = {one.segment for one in segments}
    return {
        "frames": sum(one.frames for one in segments),
        **means,
        "least_ssim": min(one.least_ssim for one in segments),
        "segments": [one.document() for one in segments],
        "not_measured": [number for number in range(planned) if number not in measured],
    }
