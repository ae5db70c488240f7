"""Box geometry on arrays of corners, shape (n, 4): left, top, right, bottom in pixels. Accepts empty arrays."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def corners(boxes: object) -> Floats:
    """Corners from rows of x, y, width, height."""
    rows = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    return np.concatenate((rows[:, :2], rows[:, :2] + rows[:, 2:]), axis=1)


def areas(boxes: Floats) -> Floats:
    """Shape (n,)."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def intersections(some: Floats, others: Floats) -> Floats:
    """The intersection area of each of `some` with each of `others`, shape (n, m)."""
    near = np.maximum(some[:, None, :2], others[None, :, :2])
    sides = np.minimum(some[:, None, 2:], others[None, :, 2:])
    sides -= near
    np.maximum(sides, 0, out=sides)
    product: Floats = sides[..., 0] * sides[..., 1]
    return product


def ious(some: Floats, others: Floats) -> Floats:
    """Intersection over union of each pair, shape (n, m); 0 for empty boxes."""
    shared = intersections(some, others)
    together = areas(some)[:, None] + areas(others)[None, :] - shared
    return shared / np.maximum(together, 1e-9)


def to_whole_pixels(boxes: Floats, size: tuple[int, int] | None = None) -> npt.NDArray[np.int64]:
    """Rows of x, y, width, height in whole pixels, at least one pixel wide and high. Rounds edges, not sides.

    Clips boxes to an image of this (width, height).
    """
    edges = np.floor(boxes + 0.5).astype(np.int64)
    near, far = edges[:, :2], edges[:, 2:]
    if size is not None:
        ends = np.array(size, dtype=np.int64)
        near, far = np.clip(near, 0, ends - 1), np.minimum(far, ends)
    return np.concatenate((near, np.maximum(far - near, 1)), axis=1)


def suppressed(overlapping: Bools) -> Bools:
    """Greedy non-maximum suppression: which of n boxes, best first, overlap a better box that is kept, shape (n,).

    `overlapping` is (n, n). Iterating over the whole matrix until nothing changes gives the same result as box by box.
    """
    above = np.triu(overlapping, 1)
    gone = above.any(axis=0)
    while gone.any():
        after = above[~gone].any(axis=0)
        if (after == gone).all():
            break
        gone = after
    return np.asarray(gone, dtype=np.bool_)
