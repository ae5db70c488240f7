"""Joins encoded segments by copy, and puts the sound of the source back, whole: it was never cut."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from windmill.kernels.video.fragments import LEAD_SECONDS
from windmill.media.video.running import VideoTools, input_of, run_ffmpeg

_IN_MP4 = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"})
"""Codecs of sound that every MP4 may hold; others become AAC."""
_PIECE = 1_048_576


@dataclass(frozen=True)
class SoundSource:
    """The file that the sound is in; the time `origin` of it, in seconds, is 0 in the video that is made."""

    path: Path
    demuxer: str
    codec: str
    origin: Fraction


def join(
    tools: VideoTools, header: Path, pieces: Sequence[Path], scale: int, sound: SoundSource | None, target: Path
) -> Path:
    """One MP4 that can be played while it is loaded. The pieces go in one after the other through a pipe."""
    video = ["-protocol_whitelist", "pipe", "-itsoffset", str(-LEAD_SECONDS), "-f", "mov", "-i", "pipe:0"]
    with_sound = _sound_input(tools, sound) if sound else []
    arguments = [
        *("-copyts", *video, *with_sound, "-map", "0:v:0"),
        *(("-map", "1:a:0", "-c:a", "copy" if sound.codec in _IN_MP4 else "aac", "-strict", "-2") if sound else ()),
        *("-c:v", "copy", "-map_metadata", "-1", "-movflags", "+faststart", "-movie_timescale", str(scale)),
        *("-video_track_timescale", str(scale), "-f", "mp4", str(target)),
    ]
    run_ffmpeg(tools, arguments, "PROCESS_FAILED", feed=_bytes([header, *pieces]))
    return target


def _sound_input(tools: VideoTools, sound: SoundSource) -> list[str]:
    return input_of(tools, sound.path, sound.demuxer, "-vn", "-itsoffset", f"{float(-sound.origin):.6f}")


def _bytes(paths: Sequence[Path]) -> Iterator[bytes]:
    for path in paths:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece
