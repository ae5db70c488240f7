"""How much of bare ffmpeg's speed a video job has: python bench/video.py [--seconds 60] [--rounds 3] [--size 1920x1080]

Bare is one ffmpeg that decodes and encodes the same clip with the same codec, preset, quality and keyframes, and copies
the sound. Ours are all steps in one process, one task at a time: plan, segments, verify, stitch and thumbnails; without
an engine, with the built-in one, and with each frame going through the worker. Rounds take turns, medians are told: by
the clock, and in CPU seconds, which other programs on the machine disturb less.
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
from pathlib import Path
from typing import Any

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


class OneJob:
    """The steps of a job, one task after the other. Mutable."""

    def __init__(self, clip: Path, folder: Path) -> None:
        self.clip, self.folder, self.seconds = clip, folder, dict[str, float]()

    def run(self, engines: Sequence[str] = (), **given: object) -> None:
        asyncio.run(self._run(engines, {"crf": int(CRF), "x264_preset": PRESET, **given}))

    async def _run(self, engines: Sequence[str], given: Mapping[str, Any]) -> None:
        planned = await self._step(VideoPlan(tools), [], {"video": [self.clip]}, {})
        asked = {"task": "restyle_video", "engines": list(engines)} if engines else {}
        encoded = await self._step(VideoEncode(ENGINES, tools), planned, {"segments": files(planned)}, given, **asked)
        verified = await self._step(VideoVerify(), encoded, {}, {})
        pieces = {"pieces": sorted(files(encoded)), "video": [self.clip]}
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
        started = time.perf_counter()
        parameters = {"each": [dict(values)], **more}
        inputs = StepInputs(parameters, {shard: one.output for shard, one in enumerate(before)})
        made = []
        for shard, asked in enumerate(step.plan(JOB, inputs)):
            chosen = asked.get("files", {})
            own = {
                name: [one for one in paths if name not in chosen or one.name in chosen[name]]
                for name, paths in given.items()
            }
            scratch = self.folder / step.name / str(shard)
            scratch.mkdir(parents=True)
            task = GivenTask("1-0-0", JOB, asked, parameters, own, scratch, lambda _: None, key=TaskKey(1, 0, 0))
            done = await step.run(task)
            assert isinstance(done, TaskResult)
            made.append(done)
        self.seconds[step.name] = time.perf_counter() - started
        return made


def files(results: Sequence[TaskResult]) -> list[Path]:
    return [made.path for result in results for made in result.artifacts]


def measured(work: Callable[[Path], object], folder: Path) -> tuple[float, float]:
    """Seconds by the clock, and of CPU in all children and here."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    before, started = _cpu(), time.perf_counter()
    work(folder)
    return time.perf_counter() - started, _cpu() - before


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", default="1920x1080")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="windmill-bench-") as name:
        folder = Path(name)
        draw(clip := folder / "clip.mp4", options.seconds, options.size)
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
            {kind: measured(work, folder / "work") for kind, work in works.items()} for _ in range(options.rounds)
        ]
        report(rounds, jobs, options.seconds)


def report(rounds: Sequence[Mapping[str, tuple[float, float]]], jobs: Mapping[str, OneJob], seconds: int) -> None:
    frames = seconds * RATE
    clock = {kind: statistics.median(one[kind][0] for one in rounds) for kind in rounds[0]}
    cpu = {kind: statistics.median(one[kind][1] for one in rounds) for kind in rounds[0]}
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, {frames} frames, median of {len(rounds)}")
    for kind in clock:
        print(
            f"{kind:8} {frames / clock[kind]:7.1f} fps  {seconds / clock[kind]:5.2f} x real time  "
            f"{1000 * cpu[kind] / frames:6.1f} ms CPU a frame  {100 * cpu['bare'] / cpu[kind]:4.0f} % of bare by CPU"
        )
    for kind, job in jobs.items():
        print(f"{kind:8} " + "  ".join(f"{step} {spent:.1f} s" for step, spent in job.seconds.items()))
    share = {kind: 100 * clock["bare"] / clock[kind] for kind in clock}
    none, builtin, pipe = (f"{share[kind]:.0f} %" for kind in ("none", "builtin", "pipe"))
    print(f"video: {none} of bare ffmpeg without an engine, {builtin} with the builtin one, {pipe} through the pipe")


if __name__ == "__main__":
    main()
