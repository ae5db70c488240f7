"""Reads what a video file holds: its streams and the time of every packet. The file may come from anybody, so this is
where limits are kept: a file is refused here, or is of a bounded size in every respect."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import VideoSettings
from windmill.kernels.video.packet_scan import BadScan, PacketScan, ScannedStream
from windmill.media.video.containers import Demuxer, must_be_video
from windmill.media.video.running import VideoTools, input_of, run_ffmpeg

_LOOK_EVERY = 512
_CPU_SECONDS = 600


@dataclass(frozen=True)
class ScannedAudio:
    """The sound of a video, in seconds of the source."""

    codec: str
    first: Fraction
    end: Fraction


@dataclass(frozen=True)
class ScannedVideo:
    """A file. `width` and `height` are those of a frame as it is shown, after rotation."""

    path: Path
    demuxer: Demuxer
    stream: ScannedStream
    audio: ScannedAudio | None
    width: int
    height: int

    @property
    def has_times(self) -> bool:
        """Whether every frame that is shown has a time of its own."""
        return not self.stream.untimed and all(one < other for one, other in pairwise(self.stream.shown))


def scan_video(tools: VideoTools, path: Path) -> ScannedVideo:
    """Raises VIDEO_UNREADABLE or VIDEO_TOO_LARGE."""
    size, most = path.stat().st_size, tools.settings.max_video_bytes
    if size > most:
        raise WindmillError("VIDEO_TOO_LARGE", f"it has {size:,} bytes, over MAX_VIDEO_BYTES={most}")
    demuxer = must_be_video(path)
    scan = scan_packets(tools, path, demuxer)
    video = scan.of_type("video")
    if video is None or not video.frames:
        raise WindmillError("VIDEO_UNREADABLE", "it shows no frame")
    _check_rate(tools.settings, video)
    width, height = _shown_size(tools, path, demuxer)
    return ScannedVideo(path, demuxer, video, _audio(scan.of_type("audio")), width, height)


def scan_packets(tools: VideoTools, path: Path, demuxer: str) -> PacketScan:
    """The first stream of video and that of sound."""
    scan, watch = PacketScan(), _Watch(tools.settings)
    arguments = [
        *("-copyts", *input_of(tools, path, demuxer)),
        *("-map", "0:V:0", "-map", "0:a:0?", "-c", "copy", "-copyinkf", "-f", "framecrc", "pipe:1"),
    ]

    def look(line: bytes) -> None:
        watch.look(scan.feed(line))

    try:
        run_ffmpeg(tools, arguments, "VIDEO_UNREADABLE", limits=tools.limits(cpu_seconds=_CPU_SECONDS), on_line=look)
    except BadScan as error:
        raise WindmillError("VIDEO_UNREADABLE", str(error)) from error
    return scan


def count_frames(tools: VideoTools, path: Path, demuxer: str) -> int:
    """How many frames are shown; decodes nothing."""
    stream = scan_packets(tools, path, demuxer).of_type("video")
    return stream.frames if stream else 0


def count_decoded(tools: VideoTools, path: Path, demuxer: str) -> int:
    """How many frames can be decoded; decodes all of it."""
    scan = PacketScan()
    arguments = [
        *("-copyts", *input_of(tools, path, demuxer), "-map", "0:V:0", "-fps_mode", "passthrough"),
        *("-vf", "scale=16:16", "-f", "framecrc", "pipe:1"),
    ]
    run_ffmpeg(tools, arguments, "VIDEO_UNREADABLE", on_line=scan.feed)
    return sum(stream.packets for stream in scan.streams.values())


class _Watch:
    """Looks at times as they come, so that hours of nothing are not read to their end."""

    def __init__(self, settings: VideoSettings) -> None:
        self._settings = settings
        self._lines = 0

    def look(self, stream: ScannedStream | None) -> None:
        if stream is None:
            return
        if not stream.packets:
            self._look_at_size(stream)
            return
        self._lines += 1
        if self._lines % _LOOK_EVERY == 0:
            _check_length(self._settings, stream)

    def _look_at_size(self, stream: ScannedStream) -> None:
        most = self._settings.max_video_pixels
        if stream.width * stream.height > most:
            said = f"its frames are {stream.width} x {stream.height}, over MAX_VIDEO_PIXELS={most}"
            raise WindmillError("VIDEO_TOO_LARGE", said)


def _check_length(settings: VideoSettings, stream: ScannedStream) -> None:
    most = settings.max_video_seconds
    if stream.length > most:
        said = f"it takes over {float(stream.length):.0f} s, MAX_VIDEO_SECONDS={most}"
        raise WindmillError("VIDEO_TOO_LARGE", said)
    if stream.packets > most * max(settings.max_video_fps, 100):
        raise WindmillError("VIDEO_TOO_LARGE", f"it has over {stream.packets:,} packets")


def _check_rate(settings: VideoSettings, stream: ScannedStream) -> None:
    _check_length(settings, stream)
    frames, seconds = stream.timed, stream.length
    if frames > 2 and frames - 1 > (seconds or Fraction(1, 10**6)) * settings.max_video_fps:
        said = f"it has {frames} frames in {float(seconds):.3f} s, over MAX_VIDEO_FPS={settings.max_video_fps}"
        raise WindmillError("VIDEO_TOO_LARGE", said)


def _shown_size(tools: VideoTools, path: Path, demuxer: str) -> tuple[int, int]:
    """Width and height of a frame as ffmpeg turns it; so a file whose frames cannot be decoded is refused here."""
    scan = PacketScan()
    arguments = [*input_of(tools, path, demuxer), "-map", "0:V:0", "-frames:v", "1", "-f", "framecrc", "pipe:1"]
    run_ffmpeg(tools, arguments, "VIDEO_UNREADABLE", limits=tools.limits(cpu_seconds=_CPU_SECONDS), on_line=scan.feed)
    stream = scan.of_type("video")
    if stream is None or not stream.packets:
        raise WindmillError("VIDEO_UNREADABLE", "no frame of it can be decoded")
    return stream.width, stream.height


def _audio(stream: ScannedStream | None) -> ScannedAudio | None:
    if stream is None or not stream.frames or stream.untimed:
        return None
    first, end = stream.first, stream.last + stream.last_duration
    return ScannedAudio(stream.codec, first * stream.time_base, end * stream.time_base)
