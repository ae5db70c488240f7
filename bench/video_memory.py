"""How much memory a video job takes, by the length of the video: python bench/video_memory.py [--minutes 1 60]

All steps run in one process, as in bench/video.py, with each frame going through the worker and without. What it
and its ffmpeg take together at most is sampled while they work. Longer clips are the shortest one over and over.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.video import OneJob, draw, tools

SIZE, SAMPLE_SECONDS = "320x180", 0.1
MIB = 2**20


@dataclass
class PeakMemory:
    """In bytes. Mutable."""

    worker: int = 0
    children: int = 0

    def sample(self) -> None:
        self.worker = max(self.worker, resident(os.getpid()))
        self.children = max(self.children, sum(map(resident, own_children())))


def resident(pid: int) -> int:
    """Bytes in memory; 0 of a process that is gone."""
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def own_children() -> list[int]:
    found: list[int] = []
    for path in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, path.read_text().split())
    return found


@contextmanager
def sampled() -> Iterator[PeakMemory]:
    """The most that is taken in the block."""
    peak, stop = PeakMemory(), threading.Event()

    def watch() -> None:
        while not stop.wait(SAMPLE_SECONDS):
            peak.sample()

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield peak
    finally:
        stop.set()
        watching.join()


def repeated(clip: Path, times: int, target: Path) -> Path:
    """The clip so many times, copied."""
    looped = ("-stream_loop", str(times - 1), "-i", str(clip), "-c", "copy", str(target))
    subprocess.run([tools().program, "-v", "error", "-nostdin", "-y", *looped], check=True)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 60], metavar="LENGTH")
    first, *longer = sorted(set(parser.parse_args().minutes))
    most: dict[int, int] = {}
    with tempfile.TemporaryDirectory(prefix="windmill-bench-") as name:
        folder = Path(name)
        draw(clip := folder / "clip.mp4", 60 * first, SIZE)
        clips = {one * first: repeated(clip, one, folder / f"{one}.mp4") for one in _times(first, longer)}
        for minutes, path in {first: clip, **clips}.items():
            most[minutes] = _most_of(minutes, path, folder)
    told = ", ".join(f"{(taken - most[first]) / MIB:+.0f} MiB for {minutes} min" for minutes, taken in most.items())
    print(f"video memory: {most[first] / MIB:.0f} MiB for {first} min, {told.split(', ', 1)[-1]}")


def _times(first: int, longer: list[int]) -> list[int]:
    """How often the shortest clip is repeated."""
    return sorted({max(one // first, 2) for one in longer})


def _most_of(minutes: int, path: Path, folder: Path) -> int:
    """Bytes at most, of both ways."""
    most = 0
    for kind, piped in (("direct", False), ("through the pipe", True)):
        with tempfile.TemporaryDirectory(dir=folder) as place, sampled() as peak:
            OneJob(path, Path(place)).run(x264_preset="ultrafast", frame_pipe=piped)
        most = max(most, peak.worker + peak.children)
        told = f"worker {peak.worker / MIB:.0f} MiB, ffmpeg {peak.children / MIB:.0f} MiB"
        print(f"{minutes:4} min {kind:17} {told}", flush=True)
    return most


if __name__ == "__main__":
    main()
