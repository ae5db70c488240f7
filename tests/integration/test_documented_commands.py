"""Every command of README and docs that looks after a fleet does what it is said to do, as it is written there."""

import shlex
import shutil
import textwrap
from pathlib import Path

import pytest

from tests.integration.fleet import SMALL_JPEG, Fleet
from tests.integration.parking import body, reasons
from tests.integration.test_calibrate import labelled
from tests.unit.command_lines import commands
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT
from windmill.core.stages import STAGES
from windmill.derive.stage_feeds import register_stage_feeds
from windmill.storage import database

pytestmark = [pytest.mark.broker, pytest.mark.database, pytest.mark.timeout(240)]

TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = ("windmill", "producers.images", "producers.generic")
FIRST = ("windmill migrate", "windmill partitions --convert", "windmill declare", "producers.images")
ENDLESS = ("windmill run", "windmill export")
"""Works until it is stopped, or waits for a worker of steps."""
# Not 0 where nobody has such services, such a job, or such a store with what was listed of it.
MAY_SAY_NO = {
    "producers.images s3://": 1,
    "producers.generic --services metadata --group trial": 2,
    "producers.generic --services all --group photos": 2,
    "windmill doctor": 1,
    "windmill failed show": 1,
    "windmill jobs": 2,
    "windmill artifacts list": 2,
    "windmill sessions show": 2,
}


def documented() -> list[str]:
    """Those that end by themselves, in an order in which each finds what it needs."""
    found = set().union(*(commands(text.read_text(encoding="utf-8")) for text in TEXTS))
    ours = [one for one in found if one.startswith(PROGRAMS) and "--watch" not in one and not one.startswith(ENDLESS)]
    return sorted(ours, key=lambda one: ([*(one.startswith(start) for start in FIRST), True].index(True), one))


@pytest.fixture
async def lived_in(fleet: Fleet) -> Fleet:
    """A fleet with images, answers, a failed job, and stages that somebody ran."""
    fleet.environ["ARTIFACTS_URL"] = str(fleet.folder / "artifacts")
    await fleet.declare(*load_fleet(fleet.settings.service_config).services)
    (await labelled(fleet, 25, "holidays")).rename(fleet.folder / "annotations.json")
    (fleet.folder / "data").mkdir()
    (fleet.folder / "data" / "1.jpg").write_bytes(SMALL_JPEG)
    for archive, form in (("shard-0001.tar", "tar"), ("old.zip", "zip")):
        made = shutil.make_archive(str(fleet.folder / "made"), form, fleet.folder / "data")
        shutil.move(made, fleet.folder / archive)
    (fleet.folder / "soft_film.json").write_text(example_preset(), encoding="utf-8")
    await fleet.put("yolov8.failed", body(17), reasons("SERVICE_ERROR"))
    async with database.pool(fleet.settings, "test") as pool:
        for stage in STAGES:
            await register_stage_feeds(pool, fleet.settings, load_fleet(fleet.settings.service_config), stage)
    return fleet


def example_preset() -> str:
    """The preset that docs/presets.md has its reader save."""
    text = (ROOT / "docs" / "presets.md").read_text(encoding="utf-8")
    start = text.index("       {\n")
    return textwrap.dedent(text[start : text.index("\n       }\n", start) + len("\n       }\n")])


def placed(command: str, folder: Path) -> list[str]:
    """The same with the files and folders of this test."""
    for name in ("annotations.json", "bad.txt", "calibration-holidays.json", "calibration-learnt.json"):
        command = command.replace(name, str(folder / name))
    for name in ("/data/shard-0001.tar", "/data/old.zip", "var/presets/soft_film.json"):
        command = command.replace(name, str(folder / Path(name).name))
    return shlex.split(command.replace("/data/pictures", str(folder / "data")), comments=True)


@pytest.mark.slow(reason="62 s: starts every command of the documentation, one after the other")
async def test_each_documented_command_runs_as_written(lived_in: Fleet) -> None:
    wrong = {}
    lines = documented()
    assert len(lines) > 40
    for command in lines:
        module, *arguments = placed(command, lived_in.folder)
        end = await lived_in.run(module, *arguments)
        no = next((code for start, code in MAY_SAY_NO.items() if command.startswith(start)), 0)
        if end.code not in (0, no) or "Traceback" in end.err:
            wrong[command] = (end.code, end.err[-500:])
    assert wrong == {}, wrong
