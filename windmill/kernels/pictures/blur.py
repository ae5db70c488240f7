"""Gaussian blur of floating-point pictures."""

import math

import numpy as np

from windmill.kernels.pictures.picture import Plane

_REACH = 3.0
"""Standard deviations that the kernel reaches; beyond lies a hundredth of a grey level."""


def gaussian_blur(plane: Plane, sigma: float) -> Plane:
    """Each pixel as the weighted mean of its surroundings; pictures go on beyond their edges as in a mirror."""
    if sigma <= 0:
        return plane
    weights = gaussian_weights(sigma)
    return _along(_along(plane, weights, 0), weights, 1)


def gaussian_weights(sigma: float) -> Plane:
    """Weights of pixels at -n to n, with the sum 1."""
    reach = max(1, math.ceil(_REACH * sigma))
    weights = np.exp(-(np.arange(-reach, reach + 1, dtype=np.float64) ** 2) / (2 * sigma * sigma))
    normal: Plane = (weights / weights.sum()).astype(np.float32)
    return normal


def _along(plane: Plane, weights: Plane, axis: int) -> Plane:
    reach, length = len(weights) // 2, plane.shape[axis]
    padding = [(reach, reach) if one == axis else (0, 0) for one in range(plane.ndim)]
    padded = np.pad(plane, padding, mode="symmetric")
    total = np.zeros_like(plane)
    for place, weight in enumerate(weights):
        total += weight * np.take(padded, range(place, place + length), axis)
    return total
