"""Small pictures along a video, each with the time at which it is really shown."""

from collections.abc import Iterator
from pathlib import Path

from windmill.media.video.containers import Demuxer
from windmill.media.video.encoding import SegmentSource
from windmill.media.video.frame_pipe import FrameShape, VideoFrame, decode_frames
from windmill.media.video.running import VideoTools, input_of, run_ffmpeg

TICKS = 90_000


def snapshots(
    tools: VideoTools, video: Path, demuxer: Demuxer, shape: FrameShape, every: float, *, keyframes: bool
) -> Iterator[VideoFrame]:
    """A frame now and then; with `keyframes` only those are decoded."""
    wanted = f"select='isnan(prev_selected_t)+gte(t-prev_selected_t\\,{every * 0.999:.6f})'"
    source = SegmentSource(video, demuxer, 0, 0, keyframes_only=keyframes)
    return decode_frames(tools, source, TICKS, shape, [wanted])


def poster(tools: VideoTools, video: Path, demuxer: Demuxer, at: float, target: Path, width: int = 1_280) -> Path:
    """One frame as a JPEG."""
    arguments = [
        *(*input_of(tools, video, demuxer, "-ss", f"{at:.3f}"), "-map", "0:V:0", "-frames:v", "1"),
        *("-vf", f"scale='min({width},iw)':-2", "-q:v", "3", "-f", "image2", "-update", "1", str(target)),
    ]
    run_ffmpeg(tools, arguments, "PROCESS_FAILED")
    return target
