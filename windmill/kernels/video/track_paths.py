"""Where a tracked thing is at any time: between two frames in which it was seen it moves evenly. What is drawn, and
what a page draws, is this."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from windmill.kernels.boxes.geometry import Floats
from windmill.kernels.video.box_motion import smoothed
from windmill.kernels.video.tracking import FrameBoxes, PixelBox, SeenTrack


@dataclass(frozen=True)
class TrackPath:
    """A thing from when it appears to when it is gone, in seconds. `boxes` are left, top, width, height at `times`."""

    number: int
    label: str
    score: float
    begins: float
    ends: float
    times: Floats
    boxes: Floats

    def box_at(self, seconds: float) -> PixelBox | None:
        if not self.begins <= seconds < self.ends:
            return None
        left, top, width, height = (float(np.interp(seconds, self.times, self.boxes[:, side])) for side in range(4))
        return left, top, width, height

    @property
    def name(self) -> str:
        """As it is written beside its box: always the same, so that nothing flickers."""
        return f"{self.label} {self.number}: {self.score:.2f}"

    def document(self) -> dict[str, Any]:
        times = [round(time, 3) for time in self.times.tolist()]
        boxes = [[round(side, 1) for side in box] for box in self.boxes.tolist()]
        shown = {"begins": round(self.begins, 3), "ends": round(self.ends, 3)}
        named = {"track": self.number, "label": self.label, "score": round(self.score, 3)}
        return {**named, **shown, "times": times, "boxes": boxes}

    @staticmethod
    def of(document: "dict[str, Any]") -> "TrackPath":
        times, boxes = np.array(document["times"], np.float64), np.array(document["boxes"], np.float64)
        named = document["track"], document["label"], document["score"]
        return TrackPath(*named, document["begins"], document["ends"], times, boxes)


def paths_of(tracks: Sequence[SeenTrack], frames: Sequence[FrameBoxes], end: float) -> list[TrackPath]:
    """The paths of all tracks, numbered from 1 in the order in which they appear. The video ends at `end`."""
    shown = _ShownTimes(frames, end)
    return [_path(number, track, frames, shown) for number, track in enumerate(tracks, 1)]


def _path(number: int, track: SeenTrack, frames: Sequence[FrameBoxes], shown: "_ShownTimes") -> TrackPath:
    places = zip(track.frames, track.places, strict=True)
    seen = np.array([frames[frame].boxes[place].box for frame, place in places], np.float64)
    times = np.array([frames[frame].seconds for frame in track.frames])
    centred = np.concatenate((seen[:, :2] + seen[:, 2:] / 2, seen[:, 2:]), axis=1)
    steady = smoothed(times.tolist(), centred)
    boxes = np.concatenate((steady[:, :2] - steady[:, 2:] / 2, steady[:, 2:]), axis=1)
    begins, ends = shown.begin(track.frames[0]), shown.end(track.frames[-1])
    return TrackPath(number, track.label, track.score, begins, ends, times, boxes)


class _ShownTimes:
    """Between the frame where a thing was last seen and the next, where it was not, it goes halfway; at a cut, and
    where the video begins and ends, it is there until then."""

    def __init__(self, frames: Sequence[FrameBoxes], end: float) -> None:
        self._frames, self._end = frames, end

    def begin(self, frame: int) -> float:
        time = self._frames[frame].seconds
        if not frame:
            return min(time, 0.0)
        return time if self._frames[frame].cut else (time + self._frames[frame - 1].seconds) / 2

    def end(self, frame: int) -> float:
        if frame + 1 == len(self._frames):
            return max(self._end, self._frames[frame].seconds)
        after = self._frames[frame + 1]
        return after.seconds if after.cut else (self._frames[frame].seconds + after.seconds) / 2
