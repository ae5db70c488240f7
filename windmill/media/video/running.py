"""Runs ffmpeg to its end. It gets local files only, each with the demuxer that its first bytes call for, so that no
file can name another one or an address to read from."""

import os
import re
import signal
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from windmill.core.errors import Code, WindmillError
from windmill.core.setting_parts import VideoSettings
from windmill.kernels.text.printable import render_printable
from windmill.media.ffmpeg.bounded_child import BoundedChild, ChildEnd, ChildLimits, Children
from windmill.media.ffmpeg.programs import find_ffmpeg

OnFrames = Callable[[int], None]
"""Told how many frames are done. It only rises."""
_QUOTED = 600
_MOST_THREADS = 16
_CALM = ("-hide_banner", "-nostdin", "-nostats", "-loglevel", "warning", "-y")


@dataclass(frozen=True)
class VideoTools:
    """What every run of ffmpeg needs: the program, the limits, and the children that end together."""

    program: str
    settings: VideoSettings
    children: Children

    @property
    def threads(self) -> int:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return self.settings.video_threads or min(cores, _MOST_THREADS)

    def limits(self, seconds: float | None = None, cpu_seconds: int = 0) -> ChildLimits:
        given = self.settings
        own = given.video_child_seconds if seconds is None else min(seconds, given.video_child_seconds)
        return ChildLimits(own, given.video_memory_bytes, cpu_seconds, 2 * given.max_video_bytes)

    def command(self, *arguments: str) -> list[str]:
        return [self.program, *_CALM, *arguments]


def open_tools(settings: VideoSettings) -> VideoTools:
    """Raises DEPENDENCY_MISSING where there is no ffmpeg."""
    return VideoTools(find_ffmpeg(settings.ffmpeg), settings, Children())


def input_of(tools: VideoTools, path: Path, demuxer: str, *options: str) -> list[str]:
    """A local file as an input of ffmpeg. The name of its protocol stands before its path, which may hold any sign."""
    settings = tools.settings
    bounds = ("-max_streams", str(settings.max_video_streams), "-max_pixels", str(settings.max_video_pixels))
    safe = ("-protocol_whitelist", "file,pipe", "-f", demuxer)
    return [*options, *bounds, *safe, "-threads", str(tools.threads), "-i", f"file:{path.absolute()}"]


def run_ffmpeg(
    tools: VideoTools,
    arguments: Sequence[str],
    blame: Code,
    *,
    limits: ChildLimits | None = None,
    on_line: Callable[[bytes], object] | None = None,
    on_frames: OnFrames | None = None,
    feed: Iterable[bytes] | None = None,
) -> str:
    """Its log, when it has ended well. `blame` is the code if it fails for no other reason that is known; `on_line`
    gets what it writes to standard output, `feed` is what it reads there."""

    def command(side: int) -> list[str]:
        return tools.command("-progress", f"pipe:{side}", *arguments)

    options: Mapping[str, bool] = {"takes_input": feed is not None, "gives_output": on_line is not None}
    with BoundedChild(tools.children, command, limits or tools.limits(), **options) as child:
        helpers = [threading.Thread(target=follow_progress, args=(child.side, on_frames), daemon=True)]
        if feed is not None:
            helpers.append(threading.Thread(target=_feed, args=(child.stdin, feed), daemon=True))
        for helper in helpers:
            helper.start()
        if on_line:
            for line in child.stdout_lines():
                on_line(line)
        end = child.wait()
        for helper in helpers:
            helper.join()
    judge(tools, end, blame)
    return end.log


def follow_progress(pipe: IO[bytes], on_frames: OnFrames | None) -> None:
    """Read what `-progress` writes until it ends; lines that are no numbers, as at the start, say nothing."""
    most = 0
    with suppress(ValueError, OSError):  # the pipe was closed
        for line in pipe:
            name, _, value = line.partition(b"=")
            if on_frames and name == b"frame" and value.strip().isdigit() and int(value) > most:
                most = int(value)
                on_frames(most)


def _feed(pipe: IO[bytes], pieces: Iterable[bytes]) -> None:
    with suppress(BrokenPipeError, ValueError):  # its end says more
        for piece in pieces:
            view = memoryview(piece)
            while view:
                view = view[os.write(pipe.fileno(), view) :]
    with suppress(OSError):
        pipe.close()


_REASONS: Sequence[tuple[str, Code, str, str]] = (
    ("No space left on device", "INSUFFICIENT_DISK_SPACE", "the disk with the scratch folder is full", ""),
    ("exceeds max_streams", "VIDEO_TOO_LARGE", "it has more streams than MAX_VIDEO_STREAMS", ""),
    ("Picture size ", "VIDEO_TOO_LARGE", "its frames have more pixels than MAX_VIDEO_PIXELS", ""),
    (
        "Cannot allocate memory",
        "OUT_OF_MEMORY",
        "ffmpeg needs more than VIDEO_MEMORY_BYTES",
        "raise VIDEO_MEMORY_BYTES",
    ),
    ("Unknown encoder", "DEPENDENCY_MISSING", "ffmpeg lacks an encoder", "install a full build of ffmpeg"),
)


def judge(tools: VideoTools, end: ChildEnd, blame: Code) -> None:
    """Raise the error with which ffmpeg ended, if it did not end well."""
    if end.status == 0 and not end.late:
        return
    if tools.children.ended:
        raise WindmillError("CANCELLED", "the task was stopped")
    quoted = quote(end.log)
    if end.late:
        said = "ffmpeg was not done in time, at most VIDEO_CHILD_SECONDS"
        raise WindmillError("VIDEO_TOO_LARGE" if blame == "VIDEO_UNREADABLE" else "STEP_TIMEOUT", f"{said}: {quoted}")
    if end.killed_for_memory:
        raise WindmillError("OUT_OF_MEMORY", "the kernel ended ffmpeg, because no memory was left")
    if end.status in (-signal.SIGXCPU, -signal.SIGXFSZ):
        raise WindmillError("VIDEO_TOO_LARGE", "reading it takes more seconds or bytes than it may")
    for sign, code, said, remedy in _REASONS:
        if sign in end.log:
            raise WindmillError(code, f"{said}: {quoted}", remedy)
    raise WindmillError(blame, f"ffmpeg ended with status {end.status}: {quoted}")


def quote(log: str) -> str:
    """The last lines of a log, without addresses of memory, which differ each time."""
    text = re.sub(r" @ 0x[0-9a-f]+", "", log)
    lines = [render_printable(line) for line in text.splitlines() if line.strip()]
    return "; ".join(lines)[-_QUOTED:]
