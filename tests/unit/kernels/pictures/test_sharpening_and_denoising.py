"""Sharpening is measured by the steepness of edges, denoising by how near a noisy picture comes to the clean one."""

import numpy as np
import pytest

from tests.unit.kernels.pictures.made_pictures import equal, grey, high_frequency_variance, noisy, psnr, scene
from windmill.kernels.pictures.blur import gaussian_blur, gaussian_weights
from windmill.kernels.pictures.denoising import TILE, box_sum, denoise
from windmill.kernels.pictures.picture import Picture, as_picture, as_plane
from windmill.kernels.pictures.sharpening import sharpen


def soft_edge() -> Picture:
    sharp = grey(60)
    sharp[:, 64:] = 190
    return as_picture(gaussian_blur(as_plane(sharp), 2))


def steepness(picture: Picture) -> int:
    return int(np.abs(np.diff(picture[:, :, 0].astype(int), axis=1)).max())


def test_an_edge_becomes_steeper_with_the_amount() -> None:
    steps = [steepness(sharpen(soft_edge(), amount, 2, 0)) for amount in (0, 0.5, 1, 2)]
    assert steps == sorted(set(steps))


def test_no_amount_and_flat_surfaces_change_nothing() -> None:
    assert equal(sharpen(scene(), 0, 2, 0), scene())
    assert equal(sharpen(grey(77), 2, 2, 0), grey(77))


def test_noise_below_the_threshold_is_not_sharpened() -> None:
    noise = noisy(grey(128), 0.004)
    assert high_frequency_variance(sharpen(noise, 1, 1, 0.05)) == high_frequency_variance(noise)
    assert high_frequency_variance(sharpen(noise, 1, 1, 0)) > 2 * high_frequency_variance(noise)


def test_sharpening_makes_no_colours() -> None:
    sharp = sharpen(soft_edge(), 1.5, 2, 0).astype(int)
    assert (sharp.max(axis=2) - sharp.min(axis=2)).max() == 0


@pytest.mark.parametrize("deviation", [0.04, 0.08])
def test_a_noisy_picture_comes_nearer_to_the_clean_one_by_6_decibels(deviation: float) -> None:
    clean, dirty = scene(), noisy(scene(), deviation)
    assert psnr(denoise(dirty, deviation / 0.25, 5), clean) > psnr(dirty, clean) + 6


def test_edges_stay_steep_where_a_blur_of_the_same_effect_flattens_them() -> None:
    clean = grey(60)
    clean[:, 64:] = 190
    dirty = noisy(clean, 0.05)
    quiet = denoise(dirty, 0.2, 5)
    assert steepness(quiet) > 110
    assert psnr(quiet, clean) > psnr(as_picture(gaussian_blur(as_plane(dirty), 1.5)), clean) + 3


def test_a_clean_picture_is_hardly_changed_and_no_strength_changes_nothing() -> None:
    assert psnr(denoise(scene(), 0.08, 4), scene()) > 38
    assert equal(denoise(scene(), 0, 4), scene())


def test_denoising_twice_gives_the_same() -> None:
    assert equal(denoise(noisy(scene(), 0.05), 0.2, 3), denoise(noisy(scene(), 0.05), 0.2, 3))


def test_the_sum_of_boxes_is_the_plain_sum() -> None:
    plane = np.random.RandomState(1).random_sample((9, 11)).astype(np.float32)
    plain = [[plane[y : y + 5, x : x + 5].sum() for x in range(7)] for y in range(5)]
    assert np.allclose(box_sum(plane, 2), plain, atol=1e-5)


def test_a_picture_of_several_tiles_has_no_seams() -> None:
    whole = noisy(scene(TILE + 40, TILE + 60), 0.05)
    part = denoise(whole[20:, 30:], 0.2, 3)
    assert np.abs(denoise(whole, 0.2, 3)[30:-10, 40:-10].astype(int) - part[10:-10, 10:-10]).max() <= 1


def test_a_blur_keeps_the_mean_and_its_weights_are_those_of_a_normal_distribution() -> None:
    weights = gaussian_weights(2.0)
    assert weights.sum() == pytest.approx(1, abs=1e-6)
    assert weights[len(weights) // 2] / weights[len(weights) // 2 + 2] == pytest.approx(np.exp(0.5), rel=1e-4)
    plane = as_plane(scene())
    assert gaussian_blur(plane, 3).mean() == pytest.approx(plane.mean(), abs=1e-3)
