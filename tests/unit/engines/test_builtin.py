import asyncio
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from windmill.core.errors import WindmillError
from windmill.engines.builtin import DISCLAIMER, BuiltinEngine
from windmill.engines.engine import EngineOutput, EngineRequest, JsonValue

KNOWN = (134, 154, 132)
"""The mean colour of six pixels of a picture."""


async def drawn(folder: Path, photo: Path | None = None, **parameters: JsonValue) -> EngineOutput:
    inputs = {"photo": photo} if photo else {}
    return await BuiltinEngine("it").run(
        EngineRequest("job-1", inputs, {"width": 64, "height": 48, **parameters}, folder),
        lambda _: None,
        asyncio.Event(),
    )


async def pixels(folder: Path, photo: Path | None = None, **parameters: JsonValue) -> bytes:
    [file] = (await drawn(folder, photo, **parameters)).files
    with Image.open(file.path) as image:
        assert image.size == (64, 48)
        return image.tobytes()


async def test_the_same_request_gives_the_same_pixels_and_any_other_gives_others(tmp_path: Path) -> None:
    first = await pixels(tmp_path, prompt="a mill", seed=0)
    assert await pixels(tmp_path, prompt="a mill") == first
    others = [
        await pixels(tmp_path, prompt="a mill", seed=1),
        await pixels(tmp_path, prompt="a hill", seed=0),
        await pixels(tmp_path, prompt="a mill", seed=0, style="ink"),
    ]
    assert len({first, *others}) == 4


async def test_the_pixels_stay_the_same_from_version_to_version(tmp_path: Path) -> None:
    picture = np.frombuffer(await pixels(tmp_path, prompt="a mill", seed=7), np.uint8).reshape(48, 64, 3)
    assert picture.std() > 20
    assert picture[::24, ::32].mean(axis=(0, 1)) == pytest.approx(KNOWN, abs=1.5)


async def test_it_says_what_it_is_in_its_facts_and_in_the_picture(tmp_path: Path) -> None:
    output = await drawn(tmp_path, seed=5)
    assert output.facts["simulated"] is True
    assert output.facts["seed"] == 5
    with Image.open(output.files[0].path) as image:
        assert image.info["Comment"] == DISCLAIMER == output.facts["says"]


async def test_a_picture_that_it_is_given_shines_through(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    Image.new("RGB", (8, 8), "white").save(photo)
    plain, bright = await pixels(tmp_path / "a"), await pixels(tmp_path / "b", photo)
    assert np.frombuffer(bright, np.uint8).mean() > np.frombuffer(plain, np.uint8).mean() + 30


async def test_what_is_no_picture_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"no picture")
    with pytest.raises(WindmillError, match="IMAGE_UNREADABLE"):
        await drawn(tmp_path / "a", tmp_path / "photo.png")


@pytest.mark.parametrize("width", [0, 5_000, "64", True, 64.0])
async def test_a_size_that_it_does_not_draw_is_refused(width: JsonValue, tmp_path: Path) -> None:
    with pytest.raises(WindmillError, match="USAGE"):
        await drawn(tmp_path, width=width)
