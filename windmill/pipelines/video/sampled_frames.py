"""Frames of a segment as pictures to look at, each with its number and its time in the video."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from windmill.kernels.video.frame_names import frame_name
from windmill.media.video.encoding import source_times
from windmill.media.video.frame_pipe import FrameShape, VideoFrame, decode_frames, even, read_ahead
from windmill.media.video.running import VideoTools
from windmill.pipelines.video.sampling import sampling_filter
from windmill.pipelines.video.segment_work import SegmentWork

_JPEG_QUALITY = 85
_SIGNATURE = (8, 6)
CUT = 0.12
"""Two pictures whose colours differ by more, on average and of 1, are of different scenes."""


@dataclass(frozen=True)
class SampledFrame:
    """A picture: `frame` is its number in the video, `time` in ticks. With a `cut` the scene before it has ended."""

    frame: int
    time: int
    cut: bool

    @property
    def file(self) -> str:
        return f"frame_{self.frame:08d}.jpg"

    def name(self, scale: int) -> str:
        """What the image is called among those of the fleet."""
        return frame_name(self.frame, self.time / scale)


@dataclass(frozen=True)
class SampledSegment:
    """The pictures of a segment. `first` and `last` are small copies of those at its ends, by which a cut between two
    segments is found."""

    frames: Sequence[SampledFrame]
    first: Sequence[int] = ()
    last: Sequence[int] = ()

    def document(self) -> dict[str, Any]:
        frames = [[one.frame, one.time, int(one.cut)] for one in self.frames]
        return {"frames": frames, "first": list(self.first), "last": list(self.last)}

    @staticmethod
    def of(document: Mapping[str, Any]) -> "SampledSegment":
        frames = [SampledFrame(frame, time, bool(cut)) for frame, time, cut in document["frames"]]
        return SampledSegment(frames, document["first"], document["last"])


def is_cut(before: Sequence[int], after: Sequence[int]) -> bool:
    """Whether a scene ends between these two small copies."""
    if not before or not after:
        return False
    return float(np.abs(np.subtract(before, after, dtype=np.float64)).mean()) / 255 > CUT


def sample_frames(tools: VideoTools, work: SegmentWork, frames_before: int, folder: Path) -> SampledSegment:
    """Write the pictures of a segment, which so many frames of the video come before."""
    given, video = work.given, work.video
    size = _fitted(video.width, video.height, given["longest_side"])
    shape = FrameShape(*even(*size), "bgr24")
    chosen = sampling_filter(given["max_fps"], given["scene_change"])
    times = source_times(tools, work.source, video.scale)
    found: list[SampledFrame] = []
    ends: list[list[int]] = []
    for frame in read_ahead(decode_frames(tools, work.source, video.scale, shape, [chosen])):
        cut = bool(given["scene_change"]) and frame.change > given["scene_change"]
        one = SampledFrame(frames_before + _place(times, frame.time), frame.time, cut)
        picture = _picture(frame, shape)
        picture.save(folder / one.file, quality=_JPEG_QUALITY)
        ends = [*ends[:1], _small(picture)]
        found.append(one)
    return SampledSegment(found, ends[0], ends[-1]) if ends else SampledSegment(found)


def _fitted(width: int, height: int, longest: int) -> tuple[int, int]:
    side = max(width, height)
    if not longest or side <= longest:
        return width, height
    return max(2, round(width * longest / side)), max(2, round(height * longest / side))


def _picture(frame: VideoFrame, shape: FrameShape) -> Image.Image:
    return Image.frombuffer("RGB", (shape.width, shape.height), bytes(frame.pixels), "raw", "BGR", 0, 1)


def _small(picture: Image.Image) -> list[int]:
    return list(picture.resize(_SIGNATURE, Image.Resampling.BOX).tobytes())


def _place(times: Sequence[int], time: int) -> int:
    """Which frame is shown at this time, or nearest to it."""
    after = min(bisect_left(times, time), len(times) - 1)
    before = max(after - 1, 0)
    return before if abs(times[before] - time) < abs(times[after] - time) else after
