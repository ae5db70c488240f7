"""Which detections of several services are one object: the closest pair first, each service once in a cluster."""

import numpy as np
import numpy.typing as npt

from windmill.kernels.boxes.geometry import Bools, Floats

Ints = npt.NDArray[np.int64]


def clustered(closeness: Floats, apart: Bools, least: float) -> Ints:
    """Number of the cluster of each of n, shape (n,), from 0 in the order of their first members.

    Two clusters are as close as their members are on average, and join when each is the closest to the other and
    they are at least so close. What is `apart` never comes together, nor does anything that holds it. As pairs join
    by closeness alone, the order of the n does not matter, except between pairs that are equally close.
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
    """Weighted mean; -1, which keeps apart, where either is."""
    kept_apart = np.minimum(some, others) < 0
    return np.where(kept_apart, -1.0, share * some + (1 - share) * others)
