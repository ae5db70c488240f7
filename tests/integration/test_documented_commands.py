"""Every command of README and docs that looks after a fleet does what it is said to do, as it is written there."""

import shlex
from pathlib import Path

import pytest

from tests.integration.fleet import SMALL_JPEG, Fleet
from tests.integration.parking import body, reasons
from tests.integration.test_calibrate import labelled
from tests.unit.command_lines import commands
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT
from windmill.derive.stage_feeds import register_stage_feeds
from windmill.storage import database

pytestmark = [pytest.mark.broker, pytest.mark.database, pytest.mark.timeout(240)]

TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = ("windmill", "producers.images", "producers.generic")
FIRST = ("windmill migrate", "windmill partitions --convert", "windmill declare", "producers.images")
# Not 0 where nobody has such services, or such a job.
MAY_SAY_NO = ("windmill doctor", "windmill failed show")


def documented() -> list[str]:
    """Those that end by themselves, in an order in which each finds what it needs."""
    found = set().union(*(commands(text.read_text(encoding="utf-8")) for text in TEXTS))
    ours = [one for one in found if one.startswith(PROGRAMS) and "--watch" not in one]
    return sorted(ours, key=lambda one: ([*(one.startswith(start) for start in FIRST), True].index(True), one))


@pytest.fixture
async def lived_in(fleet: Fleet) -> Fleet:
    """A fleet with images, answers, a failed job, and stages that somebody ran."""
    await fleet.declare(*load_fleet(fleet.settings.service_config).services)
    (await labelled(fleet, 25, "holidays")).rename(fleet.folder / "annotations.json")
    (fleet.folder / "data").mkdir()
    (fleet.folder / "data" / "picture.jpg").write_bytes(SMALL_JPEG)
    await fleet.put("yolov8.failed", body(17), reasons("SERVICE_ERROR"))
    async with database.pool(fleet.settings, "test") as pool:
        for stage in ("merge", "enrich", "consensus"):
            await register_stage_feeds(pool, fleet.settings, load_fleet(fleet.settings.service_config), stage)
    return fleet


def placed(command: str, folder: Path) -> list[str]:
    """The same with the files and folders of this test."""
    for name in ("annotations.json", "calibration-holidays.json"):
        command = command.replace(name, str(folder / name))
    return shlex.split(command.replace("/data/pictures", str(folder / "data")), comments=True)


@pytest.mark.slow(reason="62 s: starts every command of the documentation, one after the other")
async def test_each_documented_command_runs_as_written(lived_in: Fleet) -> None:
    wrong = {}
    lines = documented()
    assert len(lines) > 40
    for command in lines:
        module, *arguments = placed(command, lived_in.folder)
        end = await lived_in.run(module, *arguments)
        allowed = (0, 1) if command.startswith(MAY_SAY_NO) else (0,)
        if end.code not in allowed or "Traceback" in end.err:
            wrong[command] = (end.code, end.err[-500:])
    assert wrong == {}
