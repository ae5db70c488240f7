"""Grain is measured by the variance of what is finer than two pixels."""

import hashlib

import numpy as np
import pytest

from tests.unit.kernels.pictures.made_pictures import equal, grey, high_frequency_variance, scene
from windmill.kernels.pictures.film_grain import FULL_STRENGTH, film_grain, grain_noise


def test_grain_adds_variance_at_high_frequency_in_proportion_to_its_strength_squared() -> None:
    weak, strong = (high_frequency_variance(film_grain(grey(128), strength, 1, 7)) for strength in (0.2, 0.4))
    assert strong / weak == pytest.approx(4, rel=0.1)
    # The Laplacian of white noise has 16 + 4 = 20 times its variance.
    assert weak == pytest.approx(20 * (0.2 * FULL_STRENGTH) ** 2, rel=0.1)


def test_no_strength_leaves_the_picture_as_it_is() -> None:
    assert equal(film_grain(scene(), 0, 1.5, 7), scene())


def test_the_same_seed_gives_the_same_grain_and_another_another() -> None:
    first, again, other = (film_grain(scene(), 0.3, 1.5, seed) for seed in (7, 7, 8))
    assert equal(first, again)
    assert not equal(first, other)


def test_seeds_beyond_32_bits_differ_from_those_below() -> None:
    assert not equal(film_grain(grey(128), 0.3, 1, 2**32), film_grain(grey(128), 0.3, 1, 0))


def test_mean_brightness_and_colour_stay() -> None:
    before, after = scene(), film_grain(scene(), 0.3, 1.5, 7)
    assert np.abs(after.mean((0, 1)) - before.mean((0, 1))).max() < 0.5
    unclipped = grey(128)
    spread = film_grain(unclipped, 0.5, 1, 7).astype(int)
    assert (spread.max(axis=2) - spread.min(axis=2)).max() == 0, "grain is grey"


def test_black_and_white_have_no_grain_and_mid_grey_most() -> None:
    deviations = [film_grain(grey(value), 0.5, 1, 7).std() for value in (0, 60, 128, 200, 255)]
    assert deviations[0] == deviations[4] == 0
    assert max(deviations) == deviations[2]


def test_larger_grain_is_coarser_and_as_strong() -> None:
    fine, coarse = (grain_noise(128, 128, size, 3) for size in (1, 4))
    assert fine.std() == pytest.approx(coarse.std(), rel=0.01) == pytest.approx(1, rel=0.01)
    assert np.abs(np.diff(coarse)).mean() < np.abs(np.diff(fine)).mean() / 2


def test_the_noise_of_a_seed_is_the_same_on_every_machine_and_in_every_version() -> None:
    noise = np.rint(grain_noise(16, 16, 1, 1234) * 100).astype("<i4")
    assert hashlib.sha256(noise.tobytes()).hexdigest()[:16] == "8257fdd37d0d3f51"
