"""Frames through this process: one ffmpeg decodes, each frame is worked on here, and another ffmpeg encodes. No frame
lies in a file. Each has its time with it: the decoder writes times into a pipe of their own, and the encoder reads them
from IVF, the simplest container that has any."""

import os
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import IO, Literal

from windmill.core.errors import WindmillError
from windmill.media.ffmpeg.bounded_child import BoundedChild
from windmill.media.video.encoding import Encoding, SegmentSource, timing_filters
from windmill.media.video.running import OnFrames, VideoTools, follow_progress, input_of, judge

PixelFormat = Literal["yuv420p", "bgr24"]
_TAGS: dict[PixelFormat, bytes] = {"yuv420p": b"I420", "bgr24": b"BGR\x18"}
_AHEAD = 3
"""Frames that are read before they are worked on."""
_PIPE_BYTES = 1_048_576
_SET_PIPE_SIZE = 1031
_CHANGE, _LAST_LINE = b"lavfi.scene_score=", b"w="
"""Lines about a frame; the latter is of the chain's own making, and comes last."""


@dataclass(frozen=True)
class VideoFrame:
    """A frame and its time, in ticks of the whole. `change` says how much of the scene is new, in 0..1, where a filter
    looks at that."""

    number: int
    time: int
    pixels: bytearray
    change: float = 0.0


FrameWork = Callable[[VideoFrame], bytes | bytearray]
"""Makes the pixels that are shown instead of those of the frame. Called in the order of time."""


@dataclass(frozen=True)
class FrameShape:
    """Of all frames in a pipe; sides are even."""

    width: int
    height: int
    pixel_format: PixelFormat = "yuv420p"

    @property
    def bytes(self) -> int:
        return self.width * self.height * 3 // (2 if self.pixel_format == "yuv420p" else 1)


def even(width: int, height: int) -> tuple[int, int]:
    return width + width % 2, height + height % 2


def decode_frames(
    tools: VideoTools, source: SegmentSource, scale: int, shape: FrameShape, filters: Sequence[str] = ()
) -> Iterator[VideoFrame]:
    """The frames of a segment, each with its time. Leaving this early ends the decoder."""
    resize = f"scale={shape.width}:{shape.height}:flags=bicubic"
    chain = [*timing_filters(source, scale), *filters, resize, f"format={shape.pixel_format}"]

    def command(side: int) -> list[str]:
        told = f"metadata=mode=add:key=w:value=1,metadata=mode=print:direct=1:file=pipe\\\\:{side}"
        skip = ("-skip_frame", "nokey") if source.keyframes_only else ()
        return tools.command(
            *(*input_of(tools, source.path, source.demuxer, *skip), "-map", "0:V:0", "-vf", ",".join([*chain, told])),
            *("-fps_mode", "passthrough", "-f", "rawvideo", "pipe:1"),
        )

    with BoundedChild(tools.children, command, tools.limits(), gives_output=True) as child:
        _widen(child.stdout)
        times = _times(child.side)
        number = 0
        while (pixels := _read_frame(child.stdout, shape.bytes)) is not None:
            time, change = next(times)
            yield VideoFrame(number, time, pixels, change)
            number += 1
        judge(tools, child.wait(), "VIDEO_UNREADABLE")


def encode_frames(
    tools: VideoTools,
    frames: Iterable[VideoFrame],
    work: FrameWork,
    shape: FrameShape,
    encoding: Encoding,
    filters: Sequence[str],
    target: Path,
    on_frames: OnFrames | None = None,
) -> list[int]:
    """Encode what `work` makes of each frame; their times."""

    def command(side: int) -> list[str]:
        chain = ",".join([*filters, "scale=ceil(iw/2)*2:ceil(ih/2)*2:flags=bicubic", "format=yuv420p"])
        return tools.command(
            *("-progress", f"pipe:{side}", "-protocol_whitelist", "pipe", "-f", "ivf", "-c:v", "rawvideo"),
            *("-i", "pipe:0", "-map", "0:v:0", "-vf", chain, *encoding.options(tools), str(target)),
        )

    times: list[int] = []
    with BoundedChild(tools.children, command, tools.limits(), takes_input=True) as child:
        _widen(child.stdin)
        following = threading.Thread(target=follow_progress, args=(child.side, on_frames), daemon=True)
        following.start()
        with suppress(BrokenPipeError):  # its end says more
            _write(child.stdin, ivf_header(shape, encoding.scale))
            for frame in frames:
                _write(child.stdin, struct.pack("<IQ", shape.bytes, frame.time), work(frame))
                times.append(frame.time)
        child.stdin.close()
        end = child.wait()
        following.join()
        judge(tools, end, "PROCESS_FAILED")
    return times


def read_ahead(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    """The same frames, of which a few are read while others are worked on."""
    queue: Queue[VideoFrame | BaseException | None] = Queue(_AHEAD)
    stop = threading.Event()

    def read() -> None:
        try:
            for frame in frames:
                queue.put(frame)
                if stop.is_set():
                    return
            queue.put(None)
        except BaseException as error:  # noqa: BLE001 - it is raised where the frames are used
            queue.put(error)

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    try:
        while (found := queue.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        stop.set()
        while reading.is_alive():
            with suppress(Exception):
                queue.get(timeout=0.05)
        reading.join()
        frames.close()  # type: ignore[attr-defined]  # a generator


def ivf_header(shape: FrameShape, scale: int) -> bytes:
    tag = _TAGS[shape.pixel_format]
    return struct.pack("<4sHH4sHHIIII", b"DKIF", 0, 32, tag, shape.width, shape.height, scale, 1, 0, 0)


def _times(side: IO[bytes]) -> Iterator[tuple[int, float]]:
    """The time of each frame, and how much of the scene has changed with it."""
    time, change = 0, 0.0
    for line in side:
        if line.startswith(b"frame:"):
            time, change = _time(line.split(b"pts:", 1)[1].split()[0]), 0.0
        elif line.startswith(_CHANGE):
            change = float(line[len(_CHANGE) :])
        elif line.startswith(_LAST_LINE):
            yield time, change
    raise WindmillError("PROCESS_FAILED", "ffmpeg told no time of a frame")


def _time(told: bytes) -> int:
    if told == b"NOPTS":
        raise WindmillError("VIDEO_UNREADABLE", "a frame of it has no time")
    return int(told)


def _read_frame(pipe: IO[bytes], size: int) -> bytearray | None:
    """A whole frame; None at the end."""
    pixels = bytearray(size)
    view, filled = memoryview(pixels), 0
    while filled < size:
        count = pipe.readinto(view[filled:])  # type: ignore[attr-defined]  # an unbuffered pipe
        if not count:
            return None
        filled += count
    return pixels


def _write(pipe: IO[bytes], *parts: bytes | bytearray) -> None:
    for part in parts:
        view = memoryview(part)
        while view:
            view = view[os.write(pipe.fileno(), view) :]


def _widen(pipe: IO[bytes]) -> None:
    """A pipe of 64 kB wakes both sides fifty times for a frame."""
    with suppress(ImportError, OSError):
        import fcntl

        fcntl.fcntl(pipe.fileno(), _SET_PIPE_SIZE, _PIPE_BYTES)
