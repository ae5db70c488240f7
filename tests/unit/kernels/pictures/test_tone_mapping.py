"""Reinhard's operator, compared with its formula pixel by pixel in plain arithmetic."""

import math

import numpy as np
import pytest

from tests.unit.kernels.pictures.made_pictures import equal, grey, ramp, scene
from windmill.kernels.pictures.picture import Picture, as_plane, luminance, to_linear, to_srgb
from windmill.kernels.pictures.tone_mapping import reinhard, tone_map


def linear(value: float) -> float:
    value /= 255
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def encoded(light: float) -> float:
    light = min(light, 1.0)
    return 255 * (12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055)


def by_formula(picture: Picture, key: float) -> list[list[float]]:
    """L = key Lw / mean; Ld = L (1 + L / white^2) / (1 + L), for each pixel; all channels by the same factor."""
    pixels = [[linear(float(value)) for value in pixel] for pixel in picture.reshape(-1, 3)]
    world = [0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in pixels]
    mean = math.exp(sum(math.log(1e-6 + one) for one in world) / len(world))
    white = max(key * one / mean for one in world)
    mapped = []
    for pixel, one in zip(pixels, world, strict=True):
        scaled = key * one / mean
        shown = scaled * (1 + scaled / white**2) / (1 + scaled)
        mapped.append([encoded(channel * shown / max(one, 1e-6)) for channel in pixel])
    return mapped


@pytest.mark.parametrize("key", [0.09, 0.18, 0.36])
def test_each_pixel_is_what_the_formula_says(key: float) -> None:
    picture = scene(24, 32)
    mapped = tone_map(picture, key, 1).reshape(-1, 3)
    assert np.abs(mapped - np.array(by_formula(picture, key))).max() <= 0.51


def test_the_brightest_pixel_becomes_white_and_black_stays_black() -> None:
    world = luminance(to_linear(as_plane(ramp())))
    mapped = reinhard(world, 0.18)
    assert mapped.max() == pytest.approx(1, abs=1e-5)
    assert mapped.min() == pytest.approx(0, abs=1e-5)


def test_brighter_pixels_stay_brighter() -> None:
    row = tone_map(ramp(), 0.18, 1)[0, :, 0].astype(int)
    assert (np.diff(row) >= 0).all()


def test_no_strength_is_the_original_and_half_lies_between() -> None:
    picture = scene()
    whole, half = tone_map(picture, 0.18, 1).astype(float), tone_map(picture, 0.18, 0.5).astype(float)
    assert equal(tone_map(picture, 0.18, 0), picture)
    assert np.abs(half - (whole + picture) / 2).max() <= 1
    assert not equal(tone_map(picture, 0.18, 1), picture)


@pytest.mark.parametrize("value", [0, 255])
def test_a_picture_of_one_value_is_mapped_without_a_division_by_zero(value: int) -> None:
    assert np.isfinite(tone_map(grey(value), 0.18, 1).astype(float)).all()


def test_light_and_srgb_are_each_others_reverse() -> None:
    plane = as_plane(ramp())
    assert np.abs(to_srgb(to_linear(plane)) - plane).max() < 1e-4
