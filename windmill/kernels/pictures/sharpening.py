"""Sharpening by an unsharp mask."""

import numpy as np

from windmill.kernels.pictures.blur import gaussian_blur
from windmill.kernels.pictures.picture import Picture, as_picture, as_plane, luminance


def sharpen(picture: Picture, amount: float, radius: float, threshold: float) -> Picture:
    """Adds `amount` times the details finer than `radius` pixels. Only brightness is sharpened, which makes no coloured
    seams; details weaker than `threshold` (0 to 1) are noise and stay as they are."""
    plane = as_plane(picture)
    brightness = luminance(plane)
    detail = brightness - gaussian_blur(brightness, radius)
    kept = np.where(np.abs(detail) < threshold, np.float32(0), detail)
    return as_picture(plane + (kept * np.float32(amount))[..., None])
