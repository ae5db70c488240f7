"""How much of a video lies in scratch folders: the segments that workers have in hand, and never more."""

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.preset_scene import PresetScene, preset_scene
from tests.integration.fleet import Fleet
from tests.unit.media.made_clips import made_clip
from windmill.core.settings import Settings
from windmill.jobs.scratch_folders import PREFIX
from windmill.media.ffmpeg.programs import find_ffmpeg

pytestmark = [pytest.mark.database, pytest.mark.broker]

WORKERS, SEGMENTS = 2, 8
ENCODED_SHARE = 1.25
"""A segment with what is encoded of it, of what it takes with its pictures alone."""
ENGINE = """
import argparse, json, subprocess
from pathlib import Path

FFMPEG, SCRATCH, LOG, PREFIX = {constants}


def bytes_in(folder):
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            pass
    return total


parser = argparse.ArgumentParser()
parser.add_argument("--input")
parser.add_argument("--output-dir", type=Path)
asked, _ = parser.parse_known_args()
frames = asked.output_dir / "frames"
frames.mkdir()
passed = ("-fps_mode", "passthrough", str(frames / "frame_%04d.png"))
subprocess.run([FFMPEG, "-v", "error", "-nostdin", "-i", asked.input, "-vf", "negate", *passed], check=True)
(own,) = [one for one in Path(SCRATCH).glob(PREFIX + "*/*") if asked.output_dir.is_relative_to(one)]
taken = {{str(one): bytes_in(one) for one in Path(SCRATCH).glob(PREFIX + "*/*")}}
with open(LOG, "a") as log:
    log.write(json.dumps({{"own": taken[str(own)], "taken": [one for one in taken.values() if one]}}) + "\\n")
print(f"frames_path: {{frames}}")
"""


@pytest.fixture
async def scene(fleet: Fleet, settings: Settings, tmp_path: Path) -> AsyncIterator[PresetScene]:
    async with preset_scene(fleet, settings) as running:
        constants = (find_ffmpeg(""), str(running.scratch), str(tmp_path / "looks"), PREFIX)
        (script := tmp_path / "engine.py").write_text(ENGINE.format(constants=constants))
        fleet.environ |= {
            "MODEL_ADAPTER_TYPE": "python",
            "PYTHON_PATH": sys.executable,
            "PYTHON_SCRIPT": str(script),
        }
        yield running


@pytest.mark.slow(reason="a video of eight segments, each as pictures in a folder, by two workers: about 30 s")
async def test_scratch_holds_a_segment_for_each_worker_and_the_pictures_of_an_engine_go_with_it(
    scene: PresetScene, tmp_path: Path
) -> None:
    clip = made_clip(tmp_path / "clip.mp4", seconds=6 * SEGMENTS, rate="10", keyframes=20)
    for number in range(WORKERS):
        await scene.worker(str(number))
    job = await scene.submit("restyle_video_v1", "--file", f"clip={clip}", "--quality", "low")
    ended = await scene.asked("jobs", "watch", job)
    assert ended["status"] == "succeeded", scene.fleet.logs()
    looks = [json.loads(line) for line in (tmp_path / "looks").read_text().splitlines()]
    segment = max(look["own"] for look in looks)
    assert len(looks) == SEGMENTS
    assert max(len(look["taken"]) for look in looks) <= WORKERS
    most = max(sum(look["taken"]) for look in looks)
    assert most <= ENCODED_SHARE * WORKERS * segment
    assert sum(look["own"] for look in looks) > 2 * most, "all of it would have been much more"
    assert not [path for path in scene.scratch.rglob("*") if path.is_file()], "a scratch folder was left"
