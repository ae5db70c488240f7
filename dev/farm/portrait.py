"""A drawn face: a shaded pattern of the light and dark areas by which a cascade knows a face from the front."""

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from dev.farm.pictures import Pixels
from dev.farm.truth import PixelBox

_Plane = npt.NDArray[np.float32]

_RESOLUTION = 96
_AROUND = (0.28, 0.42, 0.28, 0.32)
"""How far hair, ears and chin reach beyond the face's box: left, above, right, below, in sides of the box."""

SKINS = ((240, 205, 180), (226, 184, 152), (205, 160, 128), (176, 130, 98))
HAIRS = ((40, 30, 26), (74, 50, 34), (120, 84, 52), (92, 90, 92), (28, 26, 34))

# Shading of the face: across, down, half width, half height of a soft spot, and how much lighter it is.
_SPOTS = (
    (0.31, 0.37, 0.105, 0.055, -0.62), (0.69, 0.37, 0.105, 0.055, -0.62),
    (0.31, 0.26, 0.14, 0.035, -0.45), (0.69, 0.26, 0.14, 0.035, -0.45),
    (0.31, 0.37, 0.19, 0.12, -0.16), (0.69, 0.37, 0.19, 0.12, -0.16),
    (0.50, 0.42, 0.06, 0.18, 0.12), (0.50, 0.08, 0.30, 0.12, 0.08),
    (0.25, 0.60, 0.13, 0.10, 0.10), (0.75, 0.60, 0.13, 0.10, 0.10),
    (0.43, 0.62, 0.035, 0.025, -0.30), (0.57, 0.62, 0.035, 0.025, -0.30),
    (0.50, 0.79, 0.17, 0.035, -0.45), (0.50, 0.90, 0.13, 0.05, 0.06),
)  # fmt: skip


def draw_face(canvas: Pixels, box: PixelBox, variant: int) -> None:
    """Paint a head whose face fills the box; the variant picks skin and hair."""
    x, y, side = box[0], box[1], box[2]
    left, top = x - round(_AROUND[0] * side), y - round(_AROUND[1] * side)
    right, bottom = x + round((1 + _AROUND[2]) * side), y + round((1 + _AROUND[3]) * side)
    colors, cover = _head(variant % (len(SKINS) * len(HAIRS)))
    size = (right - left, bottom - top)
    colors = np.asarray(cv2.resize(colors, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
    cover = np.asarray(cv2.resize(cover, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, canvas.shape[1]), min(bottom, canvas.shape[0])
    inside = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    under = canvas[y0:y1, x0:x1]
    opacity = cover[inside][..., None]
    canvas[y0:y1, x0:x1] = (under * (1 - opacity) + colors[inside] * opacity).astype(np.uint8)


@lru_cache(maxsize=len(SKINS) * len(HAIRS))
def _head(variant: int) -> tuple[_Plane, _Plane]:
    """Colours and opacity of a head, some hundred pixels wide."""
    skin, hair = (np.array(c, np.float32) for c in (SKINS[variant % len(SKINS)], HAIRS[variant // len(SKINS)]))
    across, down = _grid()
    light = np.ones_like(across)
    for x, y, wide, high, lighter in _SPOTS:
        light += lighter * np.exp(-0.5 * (((across - x) / wide) ** 2 + ((down - y) / high) ** 2)).astype(np.float32)
    light *= 1 - 0.22 * np.clip(np.abs(across - 0.5) * 2, 0, 1) ** 3
    face = _inside(across, down, (0.5, 0.45), (0.5, 0.72))
    hairy = _inside(across, down, (0.5, 0.30), (0.60, 0.70)) * np.clip((0.75 - down) / 0.1, 0, 1)
    hairline = np.clip((0.02 + 0.35 * (across - 0.5) ** 2 - down) / 0.06, 0, 1)
    bare = (face * (1 - hairline))[..., None]
    colors = np.clip(skin * light[..., None], 0, 255) * bare + hair * (1 - bare)
    return colors.astype(np.float32), np.maximum(face, hairy).astype(np.float32)


def _grid() -> tuple[_Plane, _Plane]:
    """Coordinates in the face's box, 0 to 1 across and down, over the whole head."""
    left, above, right, below = _AROUND
    across = np.linspace(-left, 1 + right, round(_RESOLUTION * (1 + left + right)), dtype=np.float32)
    down = np.linspace(-above, 1 + below, round(_RESOLUTION * (1 + above + below)), dtype=np.float32)
    columns, rows = np.meshgrid(across, down)
    return columns.astype(np.float32), rows.astype(np.float32)


def _inside(across: _Plane, down: _Plane, center: tuple[float, float], radii: tuple[float, float]) -> _Plane:
    """1 inside the ellipse, 0 outside, soft at the edge."""
    distance = np.hypot((across - center[0]) / radii[0], (down - center[1]) / radii[1])
    return np.asarray(np.clip((1.04 - distance) / 0.08, 0, 1), dtype=np.float32)
