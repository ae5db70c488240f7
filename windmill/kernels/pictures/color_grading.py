"""Colour grading: channel gains, contrast and saturation, and the named looks made of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from windmill.kernels.pictures.picture import Picture, as_picture, as_plane, blend, luminance

_PIVOT = np.float32(0.5)
"""The grey that contrast leaves alone."""


@dataclass(frozen=True)
class ColorGrade:
    """Factors; all 1 leaves a picture as it is."""

    red: float = 1.0
    green: float = 1.0
    blue: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0


LOOKS: Mapping[str, ColorGrade] = {
    "neutral": ColorGrade(),
    "warm": ColorGrade(red=1.05, green=1.02, blue=0.98),
    "cool": ColorGrade(red=0.98, blue=1.05),
    "vibrant": ColorGrade(saturation=1.08),
    "cinematic": ColorGrade(contrast=1.1, saturation=0.95),
}


def color_grade(picture: Picture, grade: ColorGrade, strength: float = 1.0) -> Picture:
    """The graded picture; `strength` blends the original in."""
    plane = as_plane(picture)
    graded = plane * np.array([grade.red, grade.green, grade.blue], dtype=np.float32)
    graded = _PIVOT + (graded - _PIVOT) * np.float32(grade.contrast)
    grey = luminance(graded)[..., None]
    return as_picture(blend(plane, grey + (graded - grey) * np.float32(grade.saturation), strength))
