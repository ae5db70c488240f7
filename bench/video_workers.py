"""How much faster more workers make a video: python bench/video.py --workers 1,2

Each number of workers takes its turn in every round, as processes of their own on private servers, and does the whole
job `restyle_video_v1`, with the built-in engine: each encodes a segment at a time, with as many threads as a worker
takes on this machine.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench import meter
from bench.rounds import ContenderFailed
from bench.temporary_fleet import temporary_fleet
from bench.vhost import own_virtual_host
from bench.worker_process import Process, environment, started
from windmill.core.settings import ROOT, Settings
from windmill.storage import database

WORKER = (sys.executable, "-m", "workers.jobs")
READY, READY_SECONDS = b" running steps ", 120.0
_ORDER = ("--preset", "restyle_video_v1", "--input", "style=anime", "--input", "seed=1")
_TIMES = """
SELECT extract(epoch FROM j.ended_at - j.started_at)::float8 AS job,
       extract(epoch FROM max(t.ended_at) - min(t.claimed_at))::float8 AS encoding,
       count(DISTINCT t.worker) AS workers
FROM jobs j JOIN tasks t USING (job_id)
WHERE j.public_id = $1::uuid AND j.status = 'succeeded' AND t.step = 'video_encode'
GROUP BY j.job_id
"""


@dataclass(frozen=True)
class FleetTimes:
    """Seconds that a job took, and the encoding of all its segments; CPU seconds of the workers; how many of those
    encoded anything."""

    job: float
    encoding: float
    cpu: float
    workers: int


def measure(clip: Path, numbers: Sequence[int], rounds: int, folder: Path) -> dict[int, list[FleetTimes]]:
    """Each number of workers in every round."""
    found: dict[int, list[FleetTimes]] = {number: [] for number in numbers}
    for turn in range(rounds):
        for number in numbers:
            place = folder / f"{turn}-{number}"
            place.mkdir()
            # In a database of its own no job finds segments that another has encoded.
            with temporary_fleet() as fleet, own_virtual_host(fleet) as environ:
                own = {**environ, "ARTIFACTS_URL": str(place / "artifacts"), "STEPS": "all"}
                one = _job(clip, number, own, place)
            found[number].append(one)
            told = f"{one.job:6.1f} s, encoding {one.encoding:6.1f} s, {one.cpu:6.1f} s of CPU"
            print(f"{_workers(number)} {told}, load {os.getloadavg()[0]:.1f}", flush=True)
    return found


def _job(clip: Path, number: int, environ: Mapping[str, str], folder: Path) -> FleetTimes:
    logs = [folder / f"worker-{one}.log" for one in range(number)]
    with ExitStack() as stack:
        processes = [stack.enter_context(started(WORKER, {**environ, "WORKER_ID": log.stem}, log)) for log in logs]
        _await_ready(processes, logs)
        before = sum(meter.cpu_seconds(one.pid) for one in processes)
        job = _asked(environ, "submit", *_ORDER, "--file", f"clip={clip}")["public_id"]
        ended = _asked(environ, "watch", str(job))
        cpu = sum(meter.cpu_seconds(one.pid) for one in processes) - before
    if ended["status"] != "succeeded":
        raise ContenderFailed(f"the job has {ended['status']}: {ended.get('message')}")
    times = asyncio.run(_times(Settings.from_env(environ), str(job)))
    return FleetTimes(times["job"], times["encoding"], cpu, int(times["workers"]))


def _await_ready(processes: Sequence[Process], logs: Sequence[Path]) -> None:
    until = time.monotonic() + READY_SECONDS
    while not all(READY in log.read_bytes() for log in logs):
        if time.monotonic() > until or any(one.poll() is not None for one in processes):
            raise ContenderFailed(f"a worker does not start: {logs[0].parent}")
        time.sleep(0.1)


def _asked(environ: Mapping[str, str], *words: str) -> dict[str, str]:
    """What `python -m windmill jobs` answers."""
    command = [sys.executable, "-m", "windmill", "jobs", *words, "--json"]
    said = subprocess.run(command, cwd=ROOT, env=environment(environ), capture_output=True, check=False)
    if said.returncode:
        raise ContenderFailed(f"jobs {words[0]}: {said.stderr.decode(errors='replace')}")
    answer: dict[str, str] = orjson.loads(said.stdout)
    return answer


async def _times(settings: Settings, job: str) -> Mapping[str, float]:
    async with database.connection(settings, "bench") as connection:
        row = await connection.fetchrow(_TIMES, job)
    assert row
    return dict(row)


def report(found: Mapping[int, Sequence[FleetTimes]], frames: int) -> str:
    """Frames a second of each number of workers, and how many times those of the least it is."""
    cores = len(os.sched_getaffinity(0))
    lines = [f"{cores} CPUs, {frames} frames, median of {len(next(iter(found.values())))}"]
    job, encoding, cpu = (
        {number: statistics.median(getattr(one, name) for one in its) for number, its in found.items()}
        for name in ("job", "encoding", "cpu")
    )
    least = min(found)
    for number, its in found.items():
        busy = min(one.workers for one in its)
        lines.append(
            f"{_workers(number)} {frames / job[number]:7.1f} fps of the job ({job[least] / job[number]:.2f} x)  "
            f"{frames / encoding[number]:7.1f} fps of encoding ({encoding[least] / encoding[number]:.2f} x)  "
            f"{1000 * cpu[number] / frames:6.1f} ms CPU a frame  {busy} encoded"
        )
    most = max(found)
    ratios = f"{job[least] / job[most]:.2f} x the job, {encoding[least] / encoding[most]:.2f} x its encoding"
    return "\n".join([*lines, f"video workers: {most} are {ratios} of {least}, on {cores} CPUs"])


def _workers(number: int) -> str:
    return f"{number} {'worker ' if number == 1 else 'workers'}"
