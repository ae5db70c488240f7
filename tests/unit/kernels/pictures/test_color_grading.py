"""Colour grades are measured by the means of channels, the spread around mid-grey and the spread between channels."""

import numpy as np
import pytest

from tests.unit.kernels.pictures.made_pictures import equal, grey, ramp, scene
from windmill.kernels.pictures.color_grading import LOOKS, ColorGrade, color_grade
from windmill.kernels.pictures.picture import Picture, as_plane, luminance


def chroma(picture: Picture) -> float:
    plane = as_plane(picture)
    return float(np.abs(plane - luminance(plane)[..., None]).mean())


@pytest.mark.parametrize(
    ("look", "gains"), [("warm", (1.05, 1.02, 0.98)), ("cool", (0.98, 1.0, 1.05)), ("neutral", (1.0, 1.0, 1.0))]
)
def test_a_look_multiplies_each_channel_by_its_gain(look: str, gains: tuple[float, ...]) -> None:
    graded = color_grade(grey(100), LOOKS[look])
    assert graded[0, 0].tolist() == [round(100 * gain) for gain in gains]


def test_contrast_spreads_values_around_mid_grey_by_its_factor() -> None:
    middle = ramp()[:, 64:192]
    before, after = middle.astype(float) - 127.5, color_grade(middle, ColorGrade(contrast=1.1)) - 127.5
    assert np.abs(after - 1.1 * before).max() <= 0.51


def test_saturation_multiplies_the_distance_from_grey_and_leaves_brightness() -> None:
    graded = color_grade(scene(), ColorGrade(saturation=0.5))
    assert chroma(graded) / chroma(scene()) == pytest.approx(0.5, rel=0.02)
    assert np.abs(luminance(as_plane(graded)) - luminance(as_plane(scene()))).max() < 0.005


def test_every_look_but_the_neutral_one_differs_from_the_picture_and_from_the_others() -> None:
    looks = {name: color_grade(scene(), grade).tobytes() for name, grade in LOOKS.items()}
    assert len(set(looks.values())) == len(LOOKS)
    assert looks["neutral"] == scene().tobytes()


def test_strength_blends_the_original_in() -> None:
    assert equal(color_grade(scene(), LOOKS["warm"], 0), scene())
    half = color_grade(grey(100), ColorGrade(red=1.2), 0.5)
    assert half[0, 0].tolist() == [110, 100, 100]
