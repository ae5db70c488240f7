"""Compares what was made of a segment with the segment, frame by frame, in one pass over both: nothing is written."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from windmill.media.ffmpeg.bounded_child import BoundedChild
from windmill.media.video.encoding import SegmentSource, shown_filters
from windmill.media.video.frame_pipe import FrameShape
from windmill.media.video.running import OnFrames, VideoTools, input_of, judge

_SSIM, _CHANGE = b"lavfi.ssim.All=", b"lavfi.scd.mafd="
LEAST_SIDE = 16
"""In pixels. Colours have half of them, and the filter looks at blocks of eight."""
_LEVELS_OF_PER_CENT = 2.56
"""The filter tells a change in per cent of 256 levels."""


@dataclass(frozen=True)
class ComparedFrames:
    """A number for each frame: how alike both are, and how far brightness is from the frame before, in levels."""

    ssim: list[float]
    changes: list[float]
    source_changes: list[float]


def compare_frames(
    tools: VideoTools, source: SegmentSource, made: Path, shape: FrameShape, on_frames: OnFrames | None = None
) -> ComparedFrames:
    """Frames are paired by their number, as an engine may move their times; the larger picture is made as small as
    `shape`."""

    def command(side: int) -> list[str]:
        return tools.command(
            *input_of(tools, source.path, source.demuxer),
            *input_of(tools, made, "mov"),
            *("-filter_complex", _graph(source, shape, side), "-fps_mode", "passthrough", "-f", "null", "-"),
        )

    found = ComparedFrames([], [], [])
    with BoundedChild(tools.children, command, tools.limits(), gives_output=True) as child:
        reading = threading.Thread(target=_read_changes, args=(child.side, found.source_changes), daemon=True)
        reading.start()
        for line in child.stdout_lines():
            found.changes.extend(_values([line], _CHANGE))
            if values := list(_values([line], _SSIM)):
                found.ssim.extend(values)
                if on_frames:
                    on_frames(len(found.ssim))
        end = child.wait()
        reading.join()
        judge(tools, end, "PROCESS_FAILED")
    changes = ([_LEVELS_OF_PER_CENT * one for one in moved] for moved in (found.changes, found.source_changes))
    return ComparedFrames(found.ssim, *changes)


def _graph(source: SegmentSource, shape: FrameShape, side: int) -> str:
    """What is told of the source is lost where both meet, so it goes into a pipe of its own before."""
    size = f"scale={shape.width}:{shape.height}:flags=bicubic"
    like, told = f"settb=AVTB,setpts=N,{size},format=yuv420p,scdet=threshold=100", "metadata=mode=print:direct=1"
    first = ",".join([*shown_filters(source), like, f"{told}:key=lavfi.scd.mafd:{_pipe(side)}"])
    return f"[0:V:0]{first}[source];[1:V:0]{like}[made];[made][source]ssim=shortest=1,{told}:{_pipe(1)}"


def _pipe(number: int) -> str:
    return f"file=pipe\\\\:{number}"


def _read_changes(pipe: IO[bytes], into: list[float]) -> None:
    into.extend(_values(pipe, _CHANGE))


def _values(lines: Iterable[bytes], name: bytes) -> Iterator[float]:
    return (float(line[len(name) :]) for line in lines if line.startswith(name))
