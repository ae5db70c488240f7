"""Encodes one segment to fragmented MP4. All segments of a video are encoded alike, with the same ticks and the same
rate told to the encoder, so their headers are equal and they can be joined by copy."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from windmill.core.errors import WindmillError
from windmill.kernels.video.fragments import BadFragments, FragmentedVideo, move_fragments, split_fragments
from windmill.kernels.video.frame_times import to_ticks
from windmill.media.video.cutting import EVEN, x264
from windmill.media.video.running import OnFrames, VideoTools, input_of, run_ffmpeg
from windmill.media.video.scanning import scan_packets


@dataclass(frozen=True)
class Encoding:
    """How all segments of a video are encoded. `scale` is ticks a second, `rate` frames a second on average. Only where
    frames are `steady` are there frames whose order of decoding differs: their times of decoding then fit together
    where segments meet."""

    scale: int
    rate: Fraction
    steady: bool
    preset: str = "veryfast"
    crf: float = 20.0
    keyframe_seconds: float = 2.0

    def options(self, tools: VideoTools) -> list[str]:
        keyframes = max(1, round(self.rate * Fraction(self.keyframe_seconds)))
        return [
            *("-fps_mode", "passthrough", "-enc_time_base", f"1:{self.scale}"),
            *x264(tools, self.preset, self.crf),
            *("-g", str(keyframes), "-flags", "+cgop", "-x264-params", f"fps={self.rate}:open-gop=0"),
            *(() if self.steady else ("-bf", "0")),
            *("-pix_fmt", "yuv420p", "-map_metadata", "-1", "-fflags", "+bitexact"),
            *("-video_track_timescale", str(self.scale)),
            *("-movflags", "empty_moov+default_base_moof+frag_keyframe", "-f", "mp4"),
        ]


@dataclass(frozen=True)
class SegmentSource:
    """A segment as it was cut, and which of its frames are shown: `frames`, the first at the time `first` in ticks of
    the whole; `skipped` come before it."""

    path: Path
    demuxer: str
    frames: int
    first: int
    skipped: int = 0
    trimmed: bool = False
    keyframes_only: bool = False


def timing_filters(source: SegmentSource, scale: int) -> list[str]:
    """Give each frame its time in the whole. Times within a segment are exact, its beginning is known."""
    return [*shown_filters(source), f"settb=1/{scale}", f"setpts=PTS-STARTPTS+{source.first}"]


def shown_filters(source: SegmentSource) -> list[str]:
    """Leave only the frames that are shown."""
    trim = f"trim=start_frame={source.skipped}:end_frame={source.skipped + source.frames}"
    return [trim] if source.trimmed else []


def encode_segment(
    tools: VideoTools,
    source: SegmentSource,
    encoding: Encoding,
    filters: Sequence[str],
    target: Path,
    on_frames: OnFrames | None = None,
) -> str:
    """Decode, filter and encode in one process; its log."""
    chain = [*timing_filters(source, encoding.scale), *filters, EVEN, "format=yuv420p"]
    arguments = [
        *input_of(tools, source.path, source.demuxer),
        *("-map", "0:V:0", "-vf", ",".join(chain), *encoding.options(tools), str(target)),
    ]
    return run_ffmpeg(tools, arguments, "PROCESS_FAILED", on_frames=on_frames)


def source_times(tools: VideoTools, source: SegmentSource, scale: int) -> list[int]:
    """When each frame of a segment is shown, in ticks of the whole; decodes nothing."""
    stream = scan_packets(tools, source.path, source.demuxer).of_type("video")
    if stream is None:
        return []
    return [source.first + to_ticks((time - stream.first) * stream.time_base, scale) for time in stream.shown]


def place_segment(encoded: Path, first: int, scale: int, number: int) -> FragmentedVideo:
    """The parts of an encoded segment, moved to its place in the whole."""
    try:
        parts = split_fragments(encoded.read_bytes())
        return FragmentedVideo(parts.header, move_fragments(parts.media, first + scale, number))
    except BadFragments as error:
        raise WindmillError("PROCESS_FAILED", f"ffmpeg made no fragments: {error}") from error
