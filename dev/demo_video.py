"""A video through the whole fleet on this machine: python -m dev.demo_video

Starts private servers unless they run, the stand-in detectors, a worker for them and one for the steps of jobs; draws a
clip of things that move, with sound; has it annotated by the detectors and drawn in a style; says what each step took,
and stops what it started. It shares the database, the queues and the folder of `make demo`.
"""

import argparse
import asyncio
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from dev.demo import LOCAL, demo_environ, free_offset, private_servers, reset, say
from dev.demo_scene import HOME
from dev.farm.moving_scenes import write_clip
from dev.programs import Interrupted, ProgramFailed, ProgramRunner
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT, Settings, named_by_user
from windmill.kernels.text.tables import render_table
from windmill.media.ffmpeg.programs import find_ffmpeg
from windmill.operate.artifacts import fetch_artifacts
from windmill.process.runner import DONE, FAILED, INTERRUPTED, run

FOLDER = HOME / "video"
RATE = 25
DETECTORS = "detectors"


@dataclass(frozen=True)
class Wanted:
    """A job of the demo."""

    name: str
    preset: str
    order: Sequence[str]


JOBS = (
    Wanted("annotated", "annotate_video_v1", ("--file", "video={clip}", "--input", f"services={DETECTORS}")),
    Wanted("restyled", "restyle_video_v1", ("--file", "clip={clip}", "--input", "style=anime", "--input", "seed=7")),
)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m dev.demo_video", description=__doc__)
    top.add_argument("--seconds", type=int, default=12, metavar="N", help="how long the clip is (%(default)s)")
    top.add_argument("--seed", type=int, default=3, help="decides what is drawn (%(default)s)")
    top.add_argument("--state", type=Path, default=LOCAL, metavar="DIR", help="of the servers (var/local)")
    return top


async def main(stop: asyncio.Event, options: argparse.Namespace) -> int:
    with private_servers(options.state) as addresses:
        environ = demo_environ(addresses, free_offset(load_fleet(ROOT / "service_config.json")))
        settings = Settings.from_env(environ)
        try:
            async with ProgramRunner({**named_by_user(), **environ}, HOME, stop) as programs:
                await reset(settings, list(load_fleet(settings.service_config).services))
                await show(programs, settings, options.seconds, options.seed)
        except ProgramFailed as error:
            sys.stderr.write(f"{error}\n")
            return FAILED
        except Interrupted:
            say("interrupted")
            return INTERRUPTED
    return DONE


async def show(programs: ProgramRunner, settings: Settings, seconds: int, seed: int) -> None:
    """Both jobs, and what they took."""
    fleet = load_fleet(settings.service_config)
    wanted = [service.port + settings.service_port_offset for service in fleet.services.values()]
    programs.start("farm", "-m", "dev.farm", "--seed", str(seed), "--keep-alive")
    FOLDER.mkdir(parents=True, exist_ok=True)
    size = (960, 540)
    clip = await asyncio.to_thread(write_clip, find_ffmpeg(settings.ffmpeg), FOLDER / "clip.mp4", seed, seconds, size)
    say(f"clip\n  {clip}: {seconds} s of {size[0]} x {size[1]}, {RATE} fps, with sound")
    say(f"tables\n  {await programs.run('-m', 'windmill', 'migrate')}")
    await programs.until_listening("farm", wanted)
    programs.start("worker", "-m", "workers.generic", SERVICE_NAME=DETECTORS)
    programs.start("jobs", "-m", "workers.jobs", STEPS="all")
    for one in JOBS:
        say(await _job(programs, settings, one, clip, seconds))


async def _job(programs: ProgramRunner, settings: Settings, wanted: Wanted, clip: Path, seconds: int) -> str:
    began = time.monotonic()
    order = [word.format(clip=clip) for word in wanted.order]
    said = await programs.run("-m", "windmill", "jobs", "submit", "--preset", wanted.preset, *order, "--json")
    job = orjson.loads(said)["public_id"]
    ended = orjson.loads(await programs.run("-m", "windmill", "jobs", "watch", job, "--json"))
    took, folder = time.monotonic() - began, FOLDER / wanted.name
    made = await _fetched(settings, uuid.UUID(job), folder, [step["name"] for step in ended["steps"]])
    counted = made.get("stats.json")
    counts = f"\n  {render_counts(orjson.loads(counted.read_bytes()))}" if counted else ""
    return f"\n{render_job(wanted.preset, ended['steps'], seconds, took)}{counts}\n  {made['video.mp4']}"


async def _fetched(settings: Settings, job: uuid.UUID, folder: Path, steps: Sequence[str]) -> dict[str, Path]:
    """What is worth looking at, by name. Five commands would take longer to start than to copy it."""
    made: dict[str, Path] = {}
    for step in ("track", "stitch", "thumbnails"):
        if step in steps:
            made |= {path.name: path for path in await fetch_artifacts(settings, job, step, folder)}
    return made


def render_job(preset: str, steps: Sequence[Mapping[str, Any]], seconds: int, took: float) -> str:
    """How fast each step was, and its share of the cost, which is seconds of work."""
    frames, cost = seconds * RATE, sum(step["ran"] for step in steps) or 1.0
    rows = []
    for step in steps:
        ran = max(step["ran"], 0.001)
        speed = round(frames / ran), round(seconds / ran, 1)
        rows.append([step["name"], step["planned"], round(ran, 2), *speed, f"{100 * ran / cost:.0f} %"])
    table = render_table(["step", "tasks", "ran s", "fps", "x real time", "cost"], rows)
    total = f"{frames} frames in {took:.1f} s: {frames / took:.0f} fps, {seconds / took:.2f} x real time"
    return f"{preset}\n{table}\n  {total}"


def render_counts(stats: Mapping[str, Any]) -> str:
    things = ", ".join(f"{label}: {count}" for label, count in stats["track_stats"].items())
    looked = f"{stats['processed_frames']} pictures were looked at, {stats['failed_frames']} failed"
    return f"{stats['total_detections']} detections of {stats['total_tracks']} things ({things}); {looked}"


if __name__ == "__main__":
    arguments = parser().parse_args()
    sys.exit(run(lambda _, stop: main(stop, arguments)))
