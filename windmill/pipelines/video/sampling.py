"""Which frames an engine is given: all, or some of them by time and where the scene changes."""

from dataclasses import dataclass
from pathlib import Path

from windmill.kernels.video.frame_times import frame_rate
from windmill.media.video.cutting import NORMAL_CRF
from windmill.media.video.encoding import Encoding
from windmill.media.video.frame_pipe import FrameShape, decode_frames, encode_frames, even, read_ahead
from windmill.media.video.running import VideoTools
from windmill.pipelines.video.segment_work import SegmentWork


@dataclass(frozen=True)
class SampledClip:
    """A clip for an engine, and the times of its frames in ticks; None: they are all frames of the segment."""

    clip: Path
    times: list[int] | None = None


def sampling_filter(max_fps: float, scene_change: float) -> str:
    """Chooses the first frame of each so many parts of a second, and one with which the picture is another; 0 frames a
    second are all."""
    wanted = (
        f"isnan(prev_selected_t)+gt({_part('t', max_fps)}\\,{_part('prev_selected_t', max_fps)})" if max_fps else "1"
    )
    change = f"+gt(scene\\,{scene_change:g})" if scene_change else ""
    return f"select='{wanted}{change}'"


def _part(time: str, max_fps: float) -> str:
    return f"floor({time}*{max_fps:g}+0.001)"


def sample_clip(tools: VideoTools, work: SegmentWork, folder: Path) -> SampledClip:
    """The segment itself, or a clip of the frames that are chosen."""
    given, video = work.given, work.video
    if not given["max_fps"] and not work.segment.trimmed:
        return SampledClip(work.file)
    shape = FrameShape(*even(video.width, video.height))
    chosen = [sampling_filter(given["max_fps"], given["scene_change"])] if given["max_fps"] else []
    frames = read_ahead(decode_frames(tools, work.source, video.scale, shape, chosen))
    clip = folder / "sampled.mp4"
    encoding = Encoding(video.scale, frame_rate([], video.scale), False, "ultrafast", NORMAL_CRF)
    return SampledClip(clip, encode_frames(tools, frames, lambda one: one.pixels, shape, encoding, [], clip))
