"""Boxes as arrays of corners, shape (n, 4): left, top, right, bottom in pixels. Empty in, empty out."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def corners(boxes: object) -> Floats:
    """Corners of rows x, y, width, height."""
    rows = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    return np.concatenate((rows[:, :2], rows[:, :2] + rows[:, 2:]), axis=1)


def areas(boxes: Floats) -> Floats:
    """Shape (n,)."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def intersections(some: Floats, others: Floats) -> Floats:
    """Area that each of `some` shares with each of `others`, shape (n, m)."""
    near = np.maximum(some[:, None, :2], others[None, :, :2])
    sides = np.minimum(some[:, None, 2:], others[None, :, 2:])
    sides -= near
    np.maximum(sides, 0, out=sides)
    product: Floats = sides[..., 0] * sides[..., 1]
    return product


def ious(some: Floats, others: Floats) -> Floats:
    """Intersection over union of each with each, shape (n, m); nothing over nothing is 0."""
    shared = intersections(some, others)
    together = areas(some)[:, None] + areas(others)[None, :] - shared
    return shared / np.maximum(together, 1e-9)


def whole(boxes: Floats, size: tuple[int, int] | None = None) -> npt.NDArray[np.int64]:
    """Rows x, y, width, height in whole pixels, at least one wide and high: edges are rounded, not sides.

    What an image of this (width, height) does not hold is cut off.
    """
    edges = np.floor(boxes + 0.5).astype(np.int64)
    near, far = edges[:, :2], edges[:, 2:]
    if size is not None:
        ends = np.array(size, dtype=np.int64)
        near, far = np.clip(near, 0, ends - 1), np.minimum(far, ends)
    return np.concatenate((near, np.maximum(far - near, 1)), axis=1)


def suppressed(overlapping: Bools) -> Bools:
    """Which of n ranked boxes, best first, lie over a better one that stays: greedy suppression, shape (n,).

    `overlapping` is (n, n). Rounds over the whole matrix, until nothing changes, end at what one box after the other
    would give.
    """
    above = np.triu(overlapping, 1)
    gone = above.any(axis=0)
    while gone.any():
        after = above[~gone].any(axis=0)
        if (after == gone).all():
            break
        gone = after
    return np.asarray(gone, dtype=np.bool_)
