"""Cuts a video into segments by copy: nothing is decoded, so it takes next to no time and loses nothing."""

from collections.abc import Sequence
from pathlib import Path

from windmill.kernels.video.segments import VideoSegment
from windmill.media.video.running import VideoTools, input_of, run_ffmpeg
from windmill.media.video.scanning import ScannedVideo

_IN_MP4 = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4"})
"""What keeps its rotation in a segment. Others go into NUT, which takes any codec."""
NORMAL_CRF, NORMAL_SHIFT = 12, 60
"""The latter in seconds: a video whose times are wanting may begin below 0."""
STILL_RATE = 25


def cut(tools: VideoTools, video: ScannedVideo, segments: Sequence[VideoSegment], folder: Path) -> list[Path]:
    """A file for each segment, in their order."""
    kind = "mp4" if video.stream.codec in _IN_MP4 else "nut"
    cuts = ",".join(str(segment.packet) for segment in segments[1:]) or str(video.stream.packets + 1)
    arguments = [
        *("-copyts", *input_of(tools, video.path, video.demuxer), "-map", "0:V:0", "-c", "copy", "-copyinkf"),
        *("-map_metadata", "-1", "-fflags", "+bitexact", "-strict", "-2"),
        *("-f", "segment", "-segment_frames", cuts, "-segment_format", kind, f"{_escaped(folder)}/segment_%05d.{kind}"),
    ]
    run_ffmpeg(tools, arguments, "VIDEO_UNREADABLE")
    return [folder / f"segment_{number:05d}.{kind}" for number in range(len(segments))]


def _escaped(folder: Path) -> str:
    return str(folder.absolute()).replace("%", "%%")


def normalise(tools: VideoTools, video: ScannedVideo, scale: int, target: Path) -> Path:
    """The same video, encoded with a time for each frame, NORMAL_SHIFT later, and a keyframe every two
    seconds."""
    arguments = [
        *("-copyts", *input_of(tools, video.path, video.demuxer, "-itsoffset", str(NORMAL_SHIFT)), "-map", "0:V:0"),
        *("-vf", EVEN, "-fps_mode", "vfr", "-enc_time_base", f"1:{scale}", "-video_track_timescale", str(scale)),
        *x264(tools, "veryfast", NORMAL_CRF),
        *("-force_key_frames", "expr:gte(t,n_forced*2)", "-pix_fmt", "yuv420p", "-f", "mp4", str(target)),
    ]
    run_ffmpeg(tools, arguments, "VIDEO_UNREADABLE")
    return target


EVEN = "scale=ceil(iw/2)*2:ceil(ih/2)*2:flags=bicubic"


def x264(tools: VideoTools, preset: str, crf: float) -> list[str]:
    return ["-c:v", "libx264", "-preset", preset, "-crf", f"{crf:g}", "-threads", str(tools.threads)]


def clip_of_still(tools: VideoTools, still: Path, size: tuple[int, int], seconds: float, target: Path) -> Path:
    """A picture as a clip, with a slow and even zoom. `still` is a PNG of this size, which is even."""
    frames = max(1, round(seconds * STILL_RATE))
    width, height = size
    zoom = f"zoompan=z='1+0.0004*on':x='(iw-iw/zoom)/2':y='(ih-ih/zoom)/2':d={frames}:fps={STILL_RATE}"
    arguments = [
        *(*input_of(tools, still, "png_pipe"), "-vf", f"{zoom}:s={width}x{height},format=yuv420p"),
        *(*x264(tools, "veryfast", NORMAL_CRF), "-g", str(2 * STILL_RATE), "-frames:v", str(frames)),
        *("-f", "mp4", str(target)),
    ]
    run_ffmpeg(tools, arguments, "PROCESS_FAILED")
    return target
