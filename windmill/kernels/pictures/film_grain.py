"""Film grain: noise that is strongest in the mid-tones, as in a negative, and the same for the same seed."""

import numpy as np

from windmill.kernels.pictures.blur import gaussian_blur
from windmill.kernels.pictures.picture import Picture, Plane, as_picture, as_plane, luminance

FULL_STRENGTH = 0.12
"""The standard deviation of the noise in mid-grey at strength 1."""
_WORD = 2**32


def film_grain(picture: Picture, strength: float, size: float, seed: int) -> Picture:
    """The picture with grain of so many pixels in diameter. Neither its colours nor its mean brightness change."""
    plane = as_plane(picture)
    noise = grain_noise(plane.shape[0], plane.shape[1], size, seed)
    amount = np.float32(strength * FULL_STRENGTH) * _response(luminance(plane))
    return as_picture(plane + (noise * amount)[..., None])


def grain_noise(height: int, width: int, size: float, seed: int) -> Plane:
    """Gaussian noise with mean 0 and deviation 1, whose spots are so many pixels wide.

    RandomState is the one generator of numpy whose numbers are promised never to change."""
    dice = np.random.RandomState([seed % _WORD, seed // _WORD])
    noise = gaussian_blur(dice.standard_normal((height, width)).astype(np.float32), (size - 1) / 2)
    normal: Plane = (noise - noise.mean()) / (noise.std() or 1)
    return normal


def _response(brightness: Plane) -> Plane:
    """1 in mid-grey and 0 in black and white, where film shows no grain and pixels would only clip."""
    return 4 * brightness * (1 - brightness)
