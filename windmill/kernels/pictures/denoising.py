"""Denoising by non-local means (Buades, Coll and Morel 2005): each pixel becomes the mean of pixels near it whose
surroundings look alike, so noise goes and edges stay.

Works on one tile after another: what it computes for a tile fits into the cache of a core, which makes it many times
as fast as the same arithmetic on whole pictures.
"""

from collections.abc import Iterator

import numpy as np

from windmill.kernels.pictures.picture import Picture, Plane, as_picture, as_plane

PATCH = 2
"""Pixels from the middle of a patch to its edge: patches of 5 by 5 are compared."""
FULL_STRENGTH = 0.25
"""The deviation of noise that strength 1 is made for, as a share of white."""
TILE = 128
_DECAY = 0.7
"""Differences of patches are forgiven up to this times the deviation of the noise."""


def denoise(picture: Picture, strength: float, reach: int) -> Picture:
    """Compares with all pixels at most `reach` away; time grows with the square of that."""
    if strength <= 0:
        return picture
    channels = np.ascontiguousarray(np.moveaxis(as_plane(picture), 2, 0))
    margin = reach + PATCH
    padded = np.pad(channels, [(0, 0), (margin, margin), (margin, margin)], mode="symmetric")
    result = np.empty_like(channels)
    for rows, columns in _tiles(*picture.shape[:2]):
        around = padded[:, rows.start : rows.stop + 2 * margin, columns.start : columns.stop + 2 * margin]
        result[:, rows, columns] = _denoised_tile(around, strength * FULL_STRENGTH, reach)
    return as_picture(np.moveaxis(result, 0, 2))


def _tiles(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            yield slice(top, min(top + TILE, height)), slice(left, min(left + TILE, width))


def _denoised_tile(around: Plane, sigma: float, reach: int) -> Plane:
    """The tile in the middle of its surroundings, which reach `reach + PATCH` further on each side."""
    inner = _shifted(around, reach, reach, reach)
    total = np.zeros((3, inner.shape[1] - 2 * PATCH, inner.shape[2] - 2 * PATCH), dtype=np.float32)
    weights = np.zeros(total.shape[1:], dtype=np.float32)
    for down in range(2 * reach + 1):
        for right in range(2 * reach + 1):
            other = _shifted(around, down, right, reach)
            weight = _likeness(inner, other, sigma)
            total += other[:, PATCH:-PATCH, PATCH:-PATCH] * weight
            weights += weight
    quiet: Plane = (total / weights).astype(np.float32)
    return quiet


def _shifted(around: Plane, down: int, right: int, reach: int) -> Plane:
    """The tile and its patches, moved so far within its surroundings."""
    height, width = around.shape[1] - 2 * reach, around.shape[2] - 2 * reach
    return around[:, down : down + height, right : right + width]


def _likeness(inner: Plane, other: Plane, sigma: float) -> Plane:
    """1 for patches that differ no more than noise makes them differ, which is by twice its variance."""
    difference = inner - other
    distance = box_sum(np.einsum("chw,chw->hw", difference, difference), PATCH) / np.float32(3 * (2 * PATCH + 1) ** 2)
    over = np.maximum(distance - np.float32(2 * sigma * sigma), 0)
    likeness: Plane = np.exp(over * np.float32(-1 / (_DECAY * sigma) ** 2))
    return likeness


def box_sum(plane: Plane, reach: int) -> Plane:
    """The sum of the square around each pixel; without the edge, where there is no whole square."""
    height, width = plane.shape[0] - 2 * reach, plane.shape[1] - 2 * reach
    rows: Plane = sum((plane[shift : shift + height] for shift in range(1, 2 * reach + 1)), plane[:height].copy())
    return sum((rows[:, shift : shift + width] for shift in range(1, 2 * reach + 1)), rows[:, :width].copy())
