"""What of a video is done stays done: for a job that is run again, for its forks, for other jobs on the same video, and
when workers are killed one after the other."""

import signal
from collections.abc import AsyncIterator
from fractions import Fraction
from pathlib import Path

import pytest

from tests.e2e.preset_scene import PresetScene, preset_scene
from tests.integration.fleet import Fleet
from tests.unit.media.made_clips import made_clip, tools, uneven_clip
from tests.unit.pipelines.test_video_steps import seconds_of
from tests.waiting import until
from windmill.core.settings import Settings
from windmill.media.ffmpeg.programs import find_ffmpeg
from windmill.media.video.scanning import scan_video

pytestmark = [pytest.mark.database, pytest.mark.broker]

KILLS = 10


class CountedFfmpeg:
    """A program that writes down what it is asked, and is ffmpeg. With a `limit` it fails to encode more."""

    def __init__(self, folder: Path) -> None:
        self.path, self.log, self.limit = folder / "ffmpeg", folder / "asked", folder / "limit"
        self.log.touch()
        lines = [
            "#!/bin/sh",
            f'case "$*" in *libx264*) if [ -e {self.limit} ] && [ "$(grep -c libx264 {self.log})" -ge '
            f'"$(cat {self.limit})" ]; then echo "it is broken" >&2; exit 1; fi;; esac',
            f'echo "$*" >> {self.log}',
            f'exec {find_ffmpeg("")} "$@"',
        ]
        self.path.write_text("\n".join(lines) + "\n")
        self.path.chmod(0o755)

    @property
    def encodes(self) -> int:
        return self.log.read_text().count("libx264")

    @property
    def cuts(self) -> int:
        return self.log.read_text().count("-f segment")


@pytest.fixture
def ffmpeg(tmp_path: Path) -> CountedFfmpeg:
    return CountedFfmpeg(tmp_path)


@pytest.fixture
async def scene(fleet: Fleet, settings: Settings, ffmpeg: CountedFfmpeg) -> AsyncIterator[PresetScene]:
    fleet.environ["FFMPEG"] = str(ffmpeg.path)
    async with preset_scene(fleet, settings, lease_seconds=10) as running:
        yield running


async def done(scene: PresetScene, job: str) -> str:
    ended = await scene.asked("jobs", "watch", job)
    assert ended["status"] == "succeeded", scene.fleet.logs()
    return job


@pytest.mark.slow(reason="seven jobs on a video, one after the other: about 60 s")
async def test_forks_retries_and_other_jobs_encode_only_what_nobody_has_encoded(
    scene: PresetScene, ffmpeg: CountedFfmpeg, tmp_path: Path
) -> None:
    clip = made_clip(tmp_path / "clip.mp4", seconds=20, keyframes=60, sound=20)
    await scene.worker("one")

    async def restyled(style: str) -> str:
        words = ("--file", f"clip={clip}", "--input", f"style={style}", "--input", "seed=7")
        return await scene.submit("restyle_video_v1", *words)

    async def forked(job: str, *words: str) -> str:
        return str((await scene.asked("jobs", "fork", job, "--from-step", "restyle", *words))["public_id"])

    first = await done(scene, await restyled("anime"))
    segments = ffmpeg.encodes
    assert (segments, ffmpeg.cuts) == (3, 1)
    await done(scene, await forked(first, "--input", "seed=7"))
    await done(scene, await restyled("anime"))
    assert (ffmpeg.encodes, ffmpeg.cuts) == (segments, 1), "the same is not encoded again"
    await done(scene, await forked(first, "--input", "style=manga"))
    await done(scene, await scene.submit("color_grade_film_grain_v1", "--file", f"video={clip}"))
    assert (ffmpeg.encodes, ffmpeg.cuts) == (3 * segments, 1), "another style, or other filters, keep the plan"
    ffmpeg.limit.write_text(str(3 * segments + 2))
    failed = await restyled("studio")
    watched = await scene.fleet.run("windmill", "jobs", "watch", failed)
    assert "it is broken" in watched.out
    ffmpeg.limit.unlink()
    await scene.asked("jobs", "retry", failed)
    await done(scene, failed)
    assert (ffmpeg.encodes, ffmpeg.cuts) == (4 * segments, 1), "a retry encodes the rest"


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize(
    "segments",
    [
        pytest.param(20, marks=pytest.mark.slow(reason="ten workers are killed, and ten started: about 2 min")),
        pytest.param(60, marks=pytest.mark.slow(reason="a video of six minutes as well: about 4 min")),
    ],
)
async def test_ten_workers_that_are_killed_cost_a_segment_each_at_most_and_no_frame(
    scene: PresetScene, ffmpeg: CountedFfmpeg, tmp_path: Path, segments: int
) -> None:
    clip = uneven_clip(tmp_path / "clip.mp4", 7 * segments, "320x180")
    await scene.worker("0")
    await scene.worker("1")
    job = await scene.submit("restyle_video_v1", "--file", f"clip={clip}", "--input", "style=anime", "--quality", "low")
    for number in range(KILLS):
        await kill_one_that_encodes(scene)
        await scene.worker(str(number + 2))
    rows = scene.fleet.rows
    ended = "SELECT status FROM jobs WHERE public_id = $1 AND ended_at IS NOT NULL"
    await until(lambda: rows.fetchval(ended, job), 900, scene.fleet.logs)
    assert await rows.fetchval(ended, job) == "succeeded", scene.fleet.logs()
    counts = await rows.fetchrow("SELECT count(*), sum(lost), sum(attempt) FROM tasks WHERE step = 'video_encode'")
    assert counts
    tasks, lost, attempts = counts
    assert tasks >= segments
    assert (lost, attempts - tasks) == (KILLS, KILLS), "a kill costs the segment that was in hand"
    assert tasks <= ffmpeg.encodes <= tasks + KILLS
    made = await scene.asked("artifacts", "fetch", job, "--step", "stitch", "--to", str(tmp_path / "made"))
    (path,) = [Path(one) for one in made if one.endswith(".mp4")]
    before, after = scan_video(tools(), clip), scan_video(tools(), path)
    steps = zip(seconds_of(before), seconds_of(after), strict=True)
    assert max(abs(one - other) for one, other in steps) < Fraction(1, 1_000)
    assert before.audio
    assert after.audio
    sound = abs((after.audio.end - after.audio.first) - (before.audio.end - before.audio.first))
    assert sound < Fraction(1, 30), "the sound is as long, to a frame"
    assert not list(scene.scratch.rglob("encoded.mp4")), "a scratch folder was left"


async def kill_one_that_encodes(scene: PresetScene) -> None:
    """With -9, while it has a segment in hand that cost no worker before: one that costs three is to blame."""
    statement = "SELECT worker FROM tasks WHERE status = 'running' AND step = 'video_encode' AND lost = 0"

    async def found() -> list[str]:
        rows = await scene.fleet.rows.fetch(statement)
        return [row["worker"] for row in rows if scene.workers[row["worker"]].process.poll() is None]

    while True:
        await until(found, 120, scene.fleet.logs)
        for name in await found():
            process = scene.workers[name].process
            process.send_signal(signal.SIGSTOP)
            if name in await found():
                await scene.workers[name].kill()
                return
            process.send_signal(signal.SIGCONT)
