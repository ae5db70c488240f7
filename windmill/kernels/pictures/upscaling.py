"""Enlarging and reducing pictures with a Lanczos filter."""

import numpy as np
from PIL import Image

from windmill.kernels.pictures.picture import Picture


def upscale(picture: Picture, factor: int) -> Picture:
    """Each side so many times as long."""
    height, width, _ = picture.shape
    return resize(picture, width * factor, height * factor)


def resize(picture: Picture, width: int, height: int) -> Picture:
    """The picture at this size; when it is reduced, each pixel stands for all that it covers."""
    resized = Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(resized, dtype=np.uint8)


def fit_within(picture: Picture, width: int, height: int) -> Picture:
    """The largest picture of the same shape that fits into this size."""
    rows, columns, _ = picture.shape
    factor = min(width / columns, height / rows)
    return resize(picture, max(1, round(columns * factor)), max(1, round(rows * factor)))
