"""Presets run as jobs, from the command that submits one to the file that is fetched."""

import json
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from tests.e2e.preset_scene import PresetScene, preset_scene
from tests.integration.fleet import Fleet
from tests.unit.examples import example
from tests.unit.kernels.pictures.made_pictures import scene as made_scene
from windmill.core.settings import ROOT, Settings

pytestmark = [pytest.mark.database, pytest.mark.broker]


@pytest.fixture
async def scene(fleet: Fleet, settings: Settings) -> AsyncIterator[PresetScene]:
    async with preset_scene(fleet, settings) as running:
        yield running


@pytest.mark.slow(reason="14 s: a lease has to run out")
async def test_a_preset_makes_a_picture_although_a_worker_is_killed_meanwhile(scene: PresetScene) -> None:
    await scene.worker("one")
    await scene.worker("two")
    asked = ("--input", "prompt=a lighthouse", "--input", "seed=7", "--quality", "low", "--engine", "default")
    job = await scene.submit("cinematic_portrait_v1", *asked)
    await scene.kill_the_one_that_works()
    ended = await scene.asked("jobs", "watch", job)
    assert [(step["name"], step["status"], step["skip_reason"]) for step in ended["steps"]] == [
        ("generate_image", "succeeded", None),
        ("apply_film_grain", "succeeded", None),
        ("apply_tone_mapping", "skipped", "the quality is low, not one of standard, pro"),
        ("apply_color_grading", "skipped", "the quality is low, not one of pro"),
    ]
    assert "no model was asked" in ended["warnings"][0]
    assert await scene.fleet.rows.fetchval("SELECT sum(lost) FROM tasks") == 1
    (path,) = await scene.asked("artifacts", "fetch", job, "--to", str(scene.fleet.folder / "results"))
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("PNG", (1536, 1024))
    shown = await scene.fleet.run("windmill", "jobs", "show", job)
    assert "skipped: the quality is low, not one of standard, pro" in shown.out
    (left,) = [worker for worker in scene.workers.values() if worker.process.poll() is None]
    assert (await left.stop()).code == 0


async def test_the_presets_of_the_documentation_run_as_they_are_written(scene: PresetScene, tmp_path: Path) -> None:
    """One of steps that there are, and one of a step that its reader has written: a program."""
    (tmp_path / "presets").mkdir()
    for preset in (example("presets.md", "{", 0), example("presets.md", "{", 1)):
        (tmp_path / "presets" / f"{json.loads(preset)['id']}.json").write_text(preset)
    (tmp_path / "mirror.py").write_text(program())
    entry = example("presets.md", '"mirror": {').replace("var/mirror.py", str(tmp_path / "mirror.py"))
    entry = entry.replace("python3", sys.executable)
    (tmp_path / "config.json").write_text(f'{{"services": {{}}, "engines": {{{entry}}}}}')
    scene.fleet.environ |= {
        "PRESETS_DIR": str(tmp_path / "presets"),
        "SERVICE_CONFIG": str(tmp_path / "config.json"),
    }
    source = Image.fromarray(made_scene())
    source.save(tmp_path / "picture.png")
    await scene.worker("one")
    sizes = {}
    for preset, more in (("soft_film", ("--quality", "pro")), ("mirrored_film", ())):
        job = await scene.submit(preset, *more, "--file", f"photo={tmp_path / 'picture.png'}")
        assert (await scene.asked("jobs", "watch", job))["status"] == "succeeded"
        (path,) = await scene.asked("artifacts", "fetch", job, "--to", str(tmp_path / preset))
        with Image.open(path) as picture:
            sizes[preset] = picture.size
    assert sizes == {"soft_film": (256, 192), "mirrored_film": (128, 96)}
    (path,) = await scene.asked("artifacts", "fetch", job, "--step", "mirror", "--to", str(tmp_path / "mirror"))
    with Image.open(path) as picture:
        assert ImageOps.mirror(picture.convert("RGB")).tobytes() == source.tobytes()


def program() -> str:
    """The one that the page has its reader save."""
    text = (ROOT / "docs" / "presets.md").read_text(encoding="utf-8")
    return textwrap.dedent(text[text.index("       import argparse") : text.index("2. Its entry")])


@pytest.mark.slow(reason="23 s: three jobs, one after the other")
async def test_a_failed_preset_is_repaired_by_another_engine_and_a_fork_keeps_what_was_made(scene: PresetScene) -> None:
    await scene.worker("one")
    asked = ("--input", "prompt_template=shot {shot_number}", "--input", "seed=3", "--quality", "low")
    failed = await scene.submit("storyboard_builder_v1", *asked, "--engine", "nobody")
    watched = await scene.fleet.run("windmill", "jobs", "watch", failed)
    assert watched.code != 0
    repair = ("repair_pipeline_v1", "--input", f"failed_job_id={failed}", "--engine", "default")
    job = await scene.submit(*repair)
    ended = await scene.asked("jobs", "watch", job)
    assert [(step["name"], step["settled"], step["status"]) for step in ended["steps"]] == [
        ("rerun_job.generate_shots", 2, "succeeded"),
        ("rerun_job.contact_sheet", 1, "succeeded"),
    ]
    portrait = ("cinematic_portrait_v1", "--input", "prompt=a", "--input", "seed=3", "--engine", "default")
    first = await scene.submit(*portrait, "--quality", "pro")
    await scene.asked("jobs", "watch", first)
    fork = (await scene.asked("jobs", "fork", first, "--from-step", "apply_color_grading", "--input", "seed=3"))[
        "public_id"
    ]
    await scene.asked("jobs", "watch", fork)
    compared = await scene.asked("jobs", "compare", first, fork)
    assert len(compared["artifacts"]) == 4
    assert all(one["equal"] for one in compared["artifacts"])
    refused = await scene.fleet.run(
        "windmill", "jobs", "fork", first, "--from-step", "apply_film_grain", "--input", "seed=4"
    )
    assert "the step generate_image before apply_film_grain would change: seed" in refused.err


async def test_a_file_is_given_its_results_are_fetched_and_nothing_is_left_of_a_removed_job(
    scene: PresetScene, tmp_path: Path
) -> None:
    await scene.worker("one")
    source = tmp_path / "Photo of me.PNG"
    Image.fromarray(made_scene()).save(source)
    job = await scene.submit("upscale_denoise_image_v1", "--quality", "low", "--file", f"image={source}")
    await scene.asked("jobs", "watch", job)
    files = await scene.asked("artifacts", "list", job)
    assert [(file["step"], file["name"]) for file in files] == [
        (None, "image/1.png"),
        ("denoise", "picture.png"),
        ("upscale", "picture.png"),
    ]
    (path,) = await scene.asked("artifacts", "fetch", job, "--to", str(tmp_path / "results"))
    with Image.open(path) as picture:
        assert picture.size == (256, 192)
    again = await scene.submit("upscale_denoise_image_v1", "--quality", "low", "--input", f"image={files[0]['sha256']}")
    await scene.asked("jobs", "watch", again)
    assert await scene.asked("artifacts", "verify") == []
    for one in (job, again):
        await scene.asked("jobs", "rm", one)
    assert (await scene.asked("artifacts", "sweep", "--older-than", "0s"))["deleted"] == 3


async def test_a_picture_that_cannot_be_read_fails_its_job_and_says_why(scene: PresetScene, tmp_path: Path) -> None:
    await scene.worker("one")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    job = await scene.submit("upscale_denoise_image_v1", "--file", f"image={tmp_path / 'broken.png'}")
    watched = await scene.fleet.run("windmill", "jobs", "watch", job)
    assert watched.code == 1
    assert "error_code: IMAGE_UNREADABLE" in watched.out


_INDEXED = """
INSERT INTO image_search (image_id, sources, version, labels, label_p, colours, text, persons)
SELECT image_id, image_id, 1, '{}', '{}', '{}', '', image_id % 3 FROM images
"""


@pytest.mark.slow(reason="20 s: a worker with all its steps writes and is asked for each file")
async def test_what_a_query_finds_is_written_by_a_worker_and_fetched_into_one_file(
    scene: PresetScene, tmp_path: Path
) -> None:
    await scene.fleet.register(30, "holidays")
    await scene.fleet.rows.execute(_INDEXED)
    await scene.worker("one")
    file = tmp_path / "people.jsonl"
    words = ("export", "persons:>=1", "--format", "jsonl", "--to", str(file))
    end = await scene.fleet.run("windmill", *words)
    assert end.code == 0, f"{end.err}\n{end.out}\n{scene.fleet.logs()}"
    records = [json.loads(line) for line in file.read_text().splitlines()]
    rows = await scene.fleet.rows.fetch(
        "SELECT image_id, image_filename, persons FROM image_search JOIN images USING (image_id) WHERE persons >= 1"
        " ORDER BY image_id"
    )
    assert [(one["image_id"], one["name"], one["persons"]) for one in records] == [tuple(row) for row in rows]
    assert len(records) == 20
