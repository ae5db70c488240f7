"""How much memory a video job takes, by the length of the video: python bench/video_memory.py [--minutes 1 60]

All steps of a job run in one process, as in bench/video.py, with each frame going through the worker and without; each
job in a new one, as what an earlier job left in memory would count as the next one's. What it and its ffmpeg take at
most, and together, is sampled while they work, and told for each step: what the worker had before, at most, and after
it, and what its ffmpeg had at most. Longer clips are the shortest one over and over.
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.video import RATE, OneJob, draw, tools

SIZE, SAMPLE_SECONDS = "320x180", 0.1
MIB = 2**20


@dataclass
class PeakMemory:
    """In bytes; `together` is the most of both at once. Mutable."""

    before: int = 0
    worker: int = 0
    children: int = 0
    together: int = 0
    after: int = 0

    def sample(self) -> None:
        worker, children = resident(os.getpid()), sum(map(most_resident, own_children()))
        self.worker, self.children = max(self.worker, worker), max(self.children, children)
        self.together = max(self.together, worker + children)


def resident(pid: int) -> int:
    """Bytes in memory; 0 of a process that is gone."""
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def most_resident(pid: int) -> int:
    """Bytes in memory at most since the process began, so that a short peak is not missed; 0 of one that is gone."""
    with suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return 0


def own_children() -> list[int]:
    found: list[int] = []
    for path in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, path.read_text().split())
    return found


@contextmanager
def sampled(peak: PeakMemory) -> Iterator[None]:
    """The most that is taken in the block."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(SAMPLE_SECONDS):
            peak.sample()

    peak.before = resident(os.getpid())
    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    finally:
        stop.set()
        watching.join()
        peak.sample()
        peak.after = resident(os.getpid())


@dataclass
class MemoryOfSteps:
    """What each step of a job has taken, by its name. Mutable."""

    peaks: dict[str, PeakMemory] = field(default_factory=dict)

    @contextmanager
    def around(self, step: str) -> Iterator[None]:
        with sampled(self.peaks.setdefault(step, PeakMemory())):
            yield

    @property
    def together(self) -> int:
        return max(peak.together for peak in self.peaks.values())

    def __str__(self) -> str:
        return "\n".join(f"     {step:16} {_told(peak)}" for step, peak in self.peaks.items())


def _told(peak: PeakMemory) -> str:
    before, worker, after, ffmpeg, together = (
        f"{one / MIB:4.0f}" for one in (peak.before, peak.worker, peak.after, peak.children, peak.together)
    )
    return f"worker {before} -> {worker} -> {after}, ffmpeg {ffmpeg}, together {together} MiB"


def repeated(clip: Path, times: int, target: Path) -> Path:
    """The clip so many times, copied."""
    looped = ("-stream_loop", str(times - 1), "-i", str(clip), "-c", "copy", str(target))
    subprocess.run([tools().program, "-v", "error", "-nostdin", "-y", *looped], check=True)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 60], metavar="LENGTH")
    parser.add_argument("--size", default=SIZE)
    options = parser.parse_args()
    first, *longer = sorted(set(options.minutes))
    with tempfile.TemporaryDirectory(prefix="windmill-bench-") as name:
        folder = Path(name)
        draw(clip := folder / "clip.mp4", 60 * first, options.size)
        clips = {one * first: repeated(clip, one, folder / f"{one}.mp4") for one in _times(first, longer)}
        with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as new_process:
            most = {
                minutes: max(
                    new_process.apply(_most_of, (minutes, path, folder), {"piped": piped}) for piped in (False, True)
                )
                for minutes, path in {first: clip, **clips}.items()
            }
    print(summary(most))


def summary(most: Mapping[int, int]) -> str:
    """What the longer ones take more than the shortest, in all and for each frame."""
    (first, least), *longer = most.items()
    told = [
        f"{(taken - least) / MIB:+.0f} MiB for {minutes} min ({(taken - least) / (60 * RATE * (minutes - first)):.0f} "
        "bytes a frame)"
        for minutes, taken in longer
    ]
    return f"video memory: {', '.join([f'{least / MIB:.0f} MiB for {first} min', *told])}"


def _times(first: int, longer: list[int]) -> list[int]:
    """How often the shortest clip is repeated."""
    return sorted({max(one // first, 2) for one in longer})


def _most_of(minutes: int, path: Path, folder: Path, *, piped: bool) -> int:
    """Bytes at most."""
    steps = MemoryOfSteps()
    with tempfile.TemporaryDirectory(dir=folder) as place:
        OneJob(path, Path(place), steps.around).run(x264_preset="ultrafast", frame_pipe=piped)
    print(
        f"{minutes:4} min {'through the pipe' if piped else 'direct'}: {steps.together / MIB:.0f} MiB\n{steps}",
        flush=True,
    )
    return steps.together


if __name__ == "__main__":
    main()
