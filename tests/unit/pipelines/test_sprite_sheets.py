"""Pictures along a video: each is where the track says, and of a long video no more are kept than of a short one."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from windmill.kernels.pictures.picture import Picture
from windmill.pipelines.video.sprite_sheets import SpreadPictures, SpriteSheets


def grey(level: int) -> Picture:
    return np.full((18, 32, 3), level, np.uint8)


def test_every_picture_is_in_its_cell_and_the_last_sheet_is_as_large_as_needed(tmp_path: Path) -> None:
    sheets = SpriteSheets(90, tmp_path)
    for number in range(215):
        sheets.add(float(number), grey(number))
    *paths, track = sheets.finish(215.0)
    assert [path.name for path in paths] == ["sprites_1.jpg", "sprites_2.jpg", "sprites_3.jpg"]
    opened = [Image.open(path) for path in paths]
    assert [one.size for one in opened] == [(1_600, 900), (1_600, 900), (1_600, 180)]
    for number, cue in enumerate(line for line in track.read_text().splitlines() if "#xywh=" in line):
        name, _, place = cue.partition("#xywh=")
        x, y, width, height = map(int, place.split(","))
        sheet = opened[[path.name for path in paths].index(name)]
        level = sheet.getpixel((x + width // 2, y + height // 2))
        assert isinstance(level, tuple)
        assert abs(level[0] - number) <= 2
    for one in opened:
        one.close()


@pytest.mark.parametrize(("taken", "kept"), [(1, 1), (8, 8), (16, 16), (17, 16), (30, 16), (100, 16), (400, 16)])
def test_pictures_are_kept_from_all_of_the_video_and_never_more_than_asked_for(taken: int, kept: int) -> None:
    seconds, found = 3_600.0, SpreadPictures(3_600.0, 16)
    for number in range(taken):
        found.look(number * seconds / taken, grey(round(250 * number / taken)))
    levels = [int(one[0, 0, 0]) for one in found.pictures]
    assert len(levels) == kept
    assert levels[0] == 0
    if kept == 16:
        gaps = np.diff([*levels, 250])
        assert gaps.max() <= 250 / 16 + 250 / taken + 1, "no part of the video is left out"


def test_a_moment_at_the_end_is_in_the_last_part() -> None:
    found = SpreadPictures(10.0, 2)
    for at in (0.0, 4.9, 5.0, 10.0, 10.1):
        found.look(at, grey(round(at)))
    assert [int(one[0, 0, 0]) for one in found.pictures] == [0, 5]
