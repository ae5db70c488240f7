"""Small pictures along a video: when they are taken, and the WebVTT track that tells a player which part of which sheet
shows a moment."""

from collections.abc import Sequence
from dataclasses import dataclass

MOST = 400
"""Pictures of a video, whatever its length."""
COLUMNS = ROWS = 10
ON_A_SHEET = COLUMNS * ROWS
_LEAST_SECONDS = 2.0
_FEW = 8


def interval(seconds: float) -> float:
    """Seconds between two pictures: a hundred of them or so, and some of a short video."""
    return max(seconds / ON_A_SHEET, min(_LEAST_SECONDS, seconds / _FEW), seconds / MOST, 0.001)


def from_keyframes(seconds: float, keyframe_gap: float) -> bool:
    """Whether decoding keyframes alone, which is a hundred times cheaper, gives pictures often enough."""
    return keyframe_gap <= 2 * interval(seconds)


def part_of(at: float, seconds: float, parts: int) -> int:
    """In which of so many equal parts of the video a moment lies."""
    return min(int(at * parts / seconds), parts - 1) if seconds > 0 else 0


@dataclass(frozen=True)
class SheetCell:
    """Where the picture of a moment is: from the left upper corner of a sheet."""

    sheet: int
    x: int
    y: int


def cell_of(number: int, width: int, height: int) -> SheetCell:
    sheet, place = divmod(number, ON_A_SHEET)
    row, column = divmod(place, COLUMNS)
    return SheetCell(sheet, column * width, row * height)


def render_track(times: Sequence[float], end: float, width: int, height: int, sheets: Sequence[str]) -> str:
    """Each picture stands from its own time to that of the next; the first from the beginning."""
    lines = ["WEBVTT", ""]
    starts = [0.0, *times[1:]]
    for number, (start, until) in enumerate(zip(starts, [*times[1:], max(end, times[-1])], strict=True)):
        cell = cell_of(number, width, height)
        lines += [
            f"{clock(start)} --> {clock(until)}",
            f"{sheets[cell.sheet]}#xywh={cell.x},{cell.y},{width},{height}",
            "",
        ]
    return "\n".join(lines)


def clock(seconds: float) -> str:
    milliseconds = round(seconds * 1_000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1_000:02}.{rest % 1_000:03}"
