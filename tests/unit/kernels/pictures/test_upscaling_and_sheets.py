"""Upscaling is measured against what the finer picture would be, a sheet by what is in its cells."""

import numpy as np
import pytest
from PIL import Image

from tests.unit.kernels.pictures.made_pictures import equal, grey, psnr, scene
from windmill.kernels.pictures.contact_sheet import SheetLayout, contact_sheet, square_layout
from windmill.kernels.pictures.picture import Picture, as_picture
from windmill.kernels.pictures.upscaling import fit_within, resize, upscale


def waves(side: int) -> Picture:
    """The same pattern at any resolution, with 10 waves across."""
    y, x = (np.mgrid[0:side, 0:side] + 0.5) / side
    plane = 0.5 + 0.2 * np.sin(2 * np.pi * 10 * x) + 0.2 * np.cos(2 * np.pi * 10 * y)
    return as_picture(np.repeat(plane[..., None], 3, axis=2).astype(np.float32))


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_each_side_is_so_many_times_as_long(factor: int) -> None:
    assert upscale(scene(30, 50), factor).shape == (30 * factor, 50 * factor, 3)
    assert equal(upscale(scene(), 1), scene())


@pytest.mark.parametrize("factor", [2, 4])
def test_what_is_upscaled_is_near_the_finer_picture_and_much_nearer_than_its_nearest_pixels(factor: int) -> None:
    coarse, fine = waves(64), waves(64 * factor)
    nearest = np.asarray(Image.fromarray(coarse).resize(fine.shape[1::-1], Image.Resampling.NEAREST))
    margin = 4 * factor
    inner = (slice(margin, -margin), slice(margin, -margin))
    assert psnr(upscale(coarse, factor)[inner], fine[inner]) > 38
    assert psnr(upscale(coarse, factor)[inner], fine[inner]) > psnr(nearest[inner], fine[inner]) + 12


def test_reducing_averages_all_that_a_pixel_covers() -> None:
    checkered = grey(0, 64, 64)
    checkered[::2, ::2] = checkered[1::2, 1::2] = 255
    assert np.abs(resize(checkered, 8, 8).astype(int) - 128)[1:-1, 1:-1].max() <= 3


@pytest.mark.parametrize(("width", "height", "expected"), [(64, 64, (32, 64)), (10, 500, (5, 10)), (1, 1, (1, 1))])
def test_what_is_fitted_keeps_its_shape(width: int, height: int, expected: tuple[int, int]) -> None:
    assert fit_within(grey(9, 100, 200), width, height).shape[:2] == expected


def test_pictures_stand_on_the_sheet_in_their_order_row_by_row() -> None:
    layout = SheetLayout(columns=3, cell_width=20, cell_height=10, gap=2)
    sheet = contact_sheet([grey(10 * number, 40, 80) for number in range(1, 6)], layout)
    assert sheet.shape == (2 + 2 * 12, 2 + 3 * 22, 3)
    middles = [layout.corner(number) for number in range(6)]
    assert [int(sheet[y + 5, x + 10, 0]) for x, y in middles] == [10, 20, 30, 40, 50, 255]
    assert (sheet[:2] == 255).all()
    assert (sheet[:, :2] == 255).all()


def test_a_picture_of_another_shape_stands_in_the_middle_of_its_cell() -> None:
    sheet = contact_sheet([grey(0, 100, 50)], SheetLayout(1, 40, 20, 0))
    assert (sheet[:, 15:25] == 0).all()
    assert (sheet[:, :15] == 255).all()
    assert (sheet[:, 25:] == 255).all()


@pytest.mark.parametrize(("pictures", "columns"), [(1, 1), (2, 2), (4, 2), (5, 3), (9, 3), (10, 4)])
def test_a_sheet_is_about_as_wide_as_high(pictures: int, columns: int) -> None:
    assert square_layout(pictures, 10, 10, 1).columns == columns
