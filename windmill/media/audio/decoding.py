"""Decodes a recording to samples in a file. ffmpeg gets a local file only, with the demuxer that its first bytes call
for, and limits of time, memory and bytes: a recording may come from anybody."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import AudioSettings
from windmill.kernels.audio.pcm import RATE, SAMPLE_BYTES
from windmill.media.audio.containers import must_have_sound
from windmill.media.ffmpeg.bounded_child import BoundedChild, ChildEnd, ChildLimits, Children
from windmill.media.ffmpeg.programs import find_ffmpeg
from windmill.media.video.running import quote

MEMORY_BYTES = 2 * 1024**3
_CALM = ("-hide_banner", "-nostdin", "-nostats", "-loglevel", "warning", "-y")
_STREAMS = "16"
_SLOWEST = 0.5
"""Seconds that a second of sound may take."""
_LEAST_SECONDS = 120.0


@dataclass(frozen=True)
class AudioTools:
    """What every decoding needs: the program, the limits, and the children that end together."""

    program: str
    settings: AudioSettings
    children: Children = field(default_factory=Children)

    @property
    def most_samples(self) -> int:
        return self.settings.max_audio_seconds * RATE

    def limits(self) -> ChildLimits:
        seconds = max(_LEAST_SECONDS, self.settings.max_audio_seconds * _SLOWEST)
        return ChildLimits(seconds, MEMORY_BYTES, int(seconds), (self.most_samples + 2 * RATE) * SAMPLE_BYTES)


def open_audio_tools(settings: AudioSettings) -> AudioTools:
    """Raises DEPENDENCY_MISSING where there is no ffmpeg."""
    return AudioTools(find_ffmpeg(settings.ffmpeg), settings)


def decode(tools: AudioTools, path: Path, target: Path, *, joined: bool = False) -> int:
    """Write 16-bit samples at 16 kHz, one channel, and return how many there are. `joined` is a file whose header
    knows nothing of what was added to it. Raises AUDIO_UNREADABLE or AUDIO_TOO_LARGE."""
    settings = tools.settings
    if path.stat().st_size > settings.max_audio_bytes:
        said = f"it has {path.stat().st_size:,} bytes, over MAX_AUDIO_BYTES={settings.max_audio_bytes}"
        raise WindmillError("AUDIO_TOO_LARGE", said)
    command = _command(tools, path, must_have_sound(path), target, joined=joined)
    with BoundedChild(tools.children, lambda _: command, tools.limits()) as child:
        _judge(tools, child.wait())
    samples = target.stat().st_size // SAMPLE_BYTES
    if samples > tools.most_samples:
        said = f"it takes over MAX_AUDIO_SECONDS={settings.max_audio_seconds}"
        raise WindmillError("AUDIO_TOO_LARGE", said)
    if not samples:
        raise WindmillError("AUDIO_UNREADABLE", "no sound of it can be decoded")
    return samples


def _command(tools: AudioTools, path: Path, demuxer: str, target: Path, *, joined: bool) -> Sequence[str]:
    beyond = ("-ignore_length", "1") if joined and demuxer == "wav" else ()
    safe = ("-max_streams", _STREAMS, "-protocol_whitelist", "file", *beyond, "-f", demuxer)
    most = str(tools.settings.max_audio_seconds + 1)
    return [
        *(tools.program, *_CALM, *safe, "-vn", "-sn", "-dn", "-i", f"file:{path.absolute()}"),
        *("-map", "0:a:0", "-t", most, "-ac", "1", "-ar", str(RATE), "-f", "s16le", f"file:{target.absolute()}"),
    ]


def _judge(tools: AudioTools, end: ChildEnd) -> None:
    """Raise the error with which ffmpeg ended, if it did not end well."""
    if end.status == 0 and not end.late:
        return
    if tools.children.ended:
        raise WindmillError("CANCELLED", "the task was stopped")
    quoted = quote(end.log)
    if end.late or end.status in (-signal.SIGXCPU, -signal.SIGXFSZ):
        raise WindmillError("AUDIO_TOO_LARGE", f"decoding it takes more seconds or bytes than it may: {quoted}")
    if end.killed_for_memory:
        raise WindmillError("OUT_OF_MEMORY", "the kernel ended ffmpeg, because no memory was left")
    if "No space left on device" in end.log:
        raise WindmillError("INSUFFICIENT_DISK_SPACE", f"the disk with the scratch folder is full: {quoted}")
    raise WindmillError("AUDIO_UNREADABLE", f"ffmpeg ended with status {end.status}: {quoted}")
