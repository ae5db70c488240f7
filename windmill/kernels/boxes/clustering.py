"""Agglomerative clustering (average linkage) of detections, with pairs that must stay apart."""

import numpy as np
import numpy.typing as npt

from windmill.kernels.boxes.geometry import Bools, Floats

Ints = npt.NDArray[np.int64]


def cluster(closeness: Floats, apart: Bools, least: float) -> Ints:
    """The cluster number of each of n items, shape (n,), from 0 in the order of first members.

    The closeness of two clusters is the mean over their members. They join if each is the closest to the other and
    their closeness is at least `least`. Items that are `apart` never share a cluster. The order of the items does not
    matter, except between equally close pairs.
    """
    numbers = np.arange(len(closeness))
    parent, sizes = numbers.copy(), np.ones(len(closeness))
    linked = np.where(apart, -1.0, closeness)
    np.fill_diagonal(linked, -1.0)
    while len(numbers):
        nearest = linked.argmax(axis=1)
        mutual = (nearest[nearest] == numbers) & (numbers < nearest) & (linked[numbers, nearest] >= least)
        into = np.flatnonzero(mutual)
        if not len(into):
            break
        gone = nearest[into]
        share = (sizes[into] / (sizes[into] + sizes[gone]))[:, None]
        linked[into] = _mean(linked[into], linked[gone], share)
        linked[:, into] = _mean(linked[:, into], linked[:, gone], share.T)
        linked[gone], linked[:, gone] = -1.0, -1.0
        sizes[into] += sizes[gone]
        moves = numbers.copy()
        moves[gone] = into
        parent = moves[parent]
    return np.asarray(np.unique(parent, return_inverse=True)[1], dtype=np.int64)


def _mean(some: Floats, others: Floats, share: Floats) -> Floats:
    """The weighted mean; -1, which keeps items apart, if either is."""
    kept_apart = np.minimum(some, others) < 0
    return np.where(kept_apart, -1.0, share * some + (1 - share) * others)
