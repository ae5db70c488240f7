"""How much of bare ffmpeg's speed a video job has: python bench/video.py [--seconds 10] [--rounds 3] [--size 1920x1080]

Bare is one ffmpeg that decodes and encodes the same clip with the same codec, preset, quality and keyframes, and copies
the sound. Ours are all steps in one process, one task at a time: plan, segments, verify, stitch and thumbnails; without
an engine, with the built-in one, and with each frame going through the worker. Rounds take turns, medians are told: by
the clock, and in CPU seconds, which is what counts where other programs work on the same cores. What a job costs
besides its segments weighs more in a short clip: of 10 s by default, which takes minutes, not of 60.

--workers 1,2 measures instead how much faster more workers are: real ones on private servers, with the built-in engine.
"""

import argparse
import asyncio
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from windmill.core.settings import load_settings
from windmill.engines.engine_thread import EngineThread
from windmill.engines.entries import BuiltinEntry
from windmill.engines.registry import open_engines
from windmill.jobs.step import JobView, Step, StepInputs, TaskResult
from windmill.jobs.task_run import GivenTask
from windmill.media.video.running import VideoTools, open_tools
from windmill.pipelines.video.encode import VideoEncode
from windmill.pipelines.video.plan import VideoPlan
from windmill.pipelines.video.stitch import VideoStitch
from windmill.pipelines.video.thumbnails import VideoThumbnails
from windmill.pipelines.video.verify import VideoVerify
from windmill.storage.jobs.rows import TaskKey

CRF, PRESET, KEYFRAME_SECONDS, RATE = "20", "veryfast", 2, 30
JOB = JobView(uuid.UUID(int=1), "bench", {}, {}, "")
ENGINES = EngineThread(lambda: open_engines({"default": BuiltinEntry()}, {}))
SETTINGS = load_settings()


def tools() -> VideoTools:
    return open_tools(SETTINGS)


def draw(target: Path, seconds: int, size: str) -> None:
    """Motion and noise, with sound."""
    subprocess.run(
        [
            *(tools().program, "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc2=s={size}:r={RATE}:d={seconds}"),
            *("-f", "lavfi", "-i", f"sine=f=440:r=48000:d={seconds}", "-vf", "noise=alls=12:allf=t:all_seed=1"),
            *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "22", "-g", "60", "-pix_fmt", "yuv420p"),
            *("-c:a", "aac", str(target)),
        ],
        check=True,
    )


def bare(clip: Path, folder: Path) -> None:
    threads = str(tools().threads)
    subprocess.run(
        [
            *(tools().program, "-v", "error", "-nostdin", "-y", "-threads", threads, "-i", str(clip)),
            *("-c:v", "libx264", "-preset", PRESET, "-crf", CRF, "-threads", threads, "-pix_fmt", "yuv420p"),
            *("-g", str(KEYFRAME_SECONDS * RATE), "-flags", "+cgop", "-c:a", "copy", "-movflags", "+faststart"),
            str(folder / "bare.mp4"),
        ],
        check=True,
    )


class Spent(NamedTuple):
    """Seconds by the clock, and of CPU in all children and here."""

    clock: float
    cpu: float

    @classmethod
    def so_far(cls) -> "Spent":
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return cls(time.perf_counter(), sum(one.ru_utime + one.ru_stime for one in used))

    @classmethod
    def since(cls, started: "Spent") -> "Spent":
        now = cls.so_far()
        return cls(now.clock - started.clock, now.cpu - started.cpu)


class OneJob:
    """The steps of a job, one task after the other, each within what `around` makes of its name. Mutable."""

    def __init__(
        self, clip: Path, folder: Path, around: Callable[[str], AbstractContextManager[object]] = nullcontext
    ) -> None:
        self.clip, self.folder, self.spent, self._around = clip, folder, dict[str, Spent](), around

    def run(self, engines: Sequence[str] = (), **given: object) -> None:
        asyncio.run(self._run(engines, {"crf": int(CRF), "x264_preset": PRESET, **given}))

    async def _run(self, engines: Sequence[str], given: Mapping[str, Any]) -> None:
        planned = await self._step(VideoPlan(tools), [], {"video": [self.clip]}, {})
        asked = {"task": "restyle_video", "engines": list(engines)} if engines else {}
        encoded = await self._step(VideoEncode(ENGINES, tools), planned, {"segments": files(planned)}, given, **asked)
        verified = await self._step(VideoVerify(), encoded, {}, {})
        pieces = {"pieces": sorted(files(encoded), key=lambda path: path.name), "video": [self.clip]}
        stitched = await self._step(VideoStitch(tools), verified, pieces, {})
        await self._step(VideoThumbnails(tools), stitched, {"video": files(stitched)}, {})

    async def _step(
        self,
        step: Step,
        before: Sequence[TaskResult],
        given: Mapping[str, Sequence[Path]],
        values: Mapping[str, Any],
        **more: object,
    ) -> list[TaskResult]:
        started = Spent.so_far()
        parameters = {"each": [dict(values)], **more}
        inputs = StepInputs(parameters, {shard: one.output for shard, one in enumerate(before)})
        with self._around(step.name):
            made = await self._tasks(step, inputs, given)
        self.spent[step.name] = Spent.since(started)
        return made

    async def _tasks(self, step: Step, inputs: StepInputs, given: Mapping[str, Sequence[Path]]) -> list[TaskResult]:
        made = []
        for shard, asked in enumerate(step.plan(JOB, inputs)):
            chosen = asked.get("files", {})
            own = {
                name: [one for one in paths if name not in chosen or one.name in chosen[name]]
                for name, paths in given.items()
            }
            scratch = self.folder / step.name / str(shard)
            scratch.mkdir(parents=True)
            task = GivenTask("1-0-0", JOB, asked, inputs.parameters, own, scratch, lambda _: None, key=TaskKey(1, 0, 0))
            done = await step.run(task)
            assert isinstance(done, TaskResult)
            made.append(done)
        return made


def files(results: Sequence[TaskResult]) -> list[Path]:
    return [made.path for result in results for made in result.artifacts]


def measured(kind: str, work: Callable[[Path], object], folder: Path) -> Spent:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    started = Spent.so_far()
    work(folder)
    spent = Spent.since(started)
    print(f"{kind:8} {spent.clock:6.1f} s, {spent.cpu:6.1f} s of CPU, load {os.getloadavg()[0]:.1f}", flush=True)
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--workers", type=worker_counts, metavar="N,M", help="compare so many workers of a fleet")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="windmill-bench-") as name:
        folder = Path(name)
        draw(clip := folder / "clip.mp4", options.seconds, options.size)
        if options.workers:
            from bench import video_workers  # what it loads would count where bench/video_memory.py uses this module

            found = video_workers.measure(clip, options.workers, options.rounds, folder)
            print(video_workers.report(found, options.seconds * RATE))
            return
        jobs: dict[str, OneJob] = {}

        def ours(kind: str, **given: Any) -> Callable[[Path], object]:  # noqa: ANN401 - parameters of the step
            def work(place: Path) -> None:
                jobs[kind] = OneJob(clip, place)
                jobs[kind].run(**given)

            return work

        works: dict[str, Callable[[Path], object]] = {
            "bare": lambda place: bare(clip, place),
            "none": ours("none"),
            "builtin": ours("builtin", engines=["default"], style="anime", seed=1),
            "pipe": ours("pipe", frame_pipe=True),
        }
        rounds = [
            {kind: measured(kind, work, folder / "work") for kind, work in works.items()} for _ in range(options.rounds)
        ]
        report(rounds, jobs, options.seconds)


def worker_counts(text: str) -> list[int]:
    """`1,2` as numbers, of which each is at least 1."""
    found = sorted({int(one) for one in text.split(",")})
    if found[0] < 1:
        raise ValueError(text)
    return found


def report(rounds: Sequence[Mapping[str, Spent]], jobs: Mapping[str, OneJob], seconds: int) -> None:
    frames = seconds * RATE
    clock = {kind: statistics.median(one[kind].clock for one in rounds) for kind in rounds[0]}
    cpu = {kind: statistics.median(one[kind].cpu for one in rounds) for kind in rounds[0]}
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, {frames} frames, median of {len(rounds)}")
    for kind in clock:
        print(
            f"{kind:8} {frames / clock[kind]:7.1f} fps  {seconds / clock[kind]:5.2f} x real time  "
            f"{1000 * cpu[kind] / frames:6.1f} ms CPU a frame  {100 * cpu['bare'] / cpu[kind]:4.0f} % of bare by CPU"
        )
    for kind, job in jobs.items():
        steps = (f"{step} {spent.clock:.1f} s ({spent.cpu:.1f} s of CPU)" for step, spent in job.spent.items())
        print(f"{kind:8} " + "  ".join(steps))
    print(f"video by CPU: {_shares(cpu)}")
    print(f"video: {_shares(clock)}")


def _shares(spent: Mapping[str, float]) -> str:
    none, builtin, pipe = (f"{100 * spent['bare'] / spent[kind]:.0f} %" for kind in ("none", "builtin", "pipe"))
    return f"{none} of bare ffmpeg without an engine, {builtin} with the builtin one, {pipe} through the pipe"


if __name__ == "__main__":
    main()
