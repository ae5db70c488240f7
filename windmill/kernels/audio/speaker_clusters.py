"""Which stretches of speech are of one speaker: vectors of voices, clustered without knowing how many there are.

Two clusters are as alike as their members are on average, which the sums of their vectors tell; so a cluster is a sum
and a weight, whatever its size. Stretches are clustered block by block, and then the clusters of all blocks: time and
memory grow with the length of the talk, and not with its square."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from windmill.kernels.audio.pcm import Floats

BLOCK = 256
Labels = npt.NDArray[np.int64]
Voices = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ClusterRules:
    """Clusters that are less `alike` are two speakers. Stretches under `certain` seconds begin no speaker, and speakers
    who say less than `least` seconds in all are taken for others who sound like them. At most so many speakers; 0 for
    as many as are heard."""

    alike: float = 0.78
    certain: float = 1.2
    least: float = 3.0
    most_speakers: int = 0


def cluster_voices(vectors: Floats, seconds: Sequence[float], rules: ClusterRules) -> Labels:
    """The number of its speaker for each stretch, counted from 0 in the order in which they begin to speak."""
    if not len(vectors):
        return np.zeros(0, np.int64)
    weights = np.asarray(seconds, np.float64)
    certain = np.flatnonzero(weights >= min(rules.certain, weights.max()))
    sums = np.zeros((0, vectors.shape[1]))
    heard = np.zeros(0)
    for start in range(0, len(certain), BLOCK):
        own = certain[start : start + BLOCK]
        added, added_weights = _agglomerate(vectors[own] * weights[own, None], weights[own], rules.alike, 0)
        sums, heard = np.concatenate([sums, added]), np.concatenate([heard, added_weights])
    sums, heard = _agglomerate(sums, heard, rules.alike, rules.most_speakers)
    return by_first(nearest(vectors, _main_voices(sums, heard, rules)))


def nearest(vectors: Floats, voices: Voices) -> Labels:
    """The voice that each vector is most alike."""
    return np.asarray(np.argmax(vectors @ voices.T, axis=1), np.int64)


def by_first(labels: Labels) -> Labels:
    """The same groups, numbered in the order in which they appear."""
    order: dict[int, int] = {}
    return np.array([order.setdefault(int(label), len(order)) for label in labels], np.int64)


def voices_of(vectors: Floats, labels: Labels, seconds: Sequence[float]) -> Voices:
    """A unit vector for each label."""
    weights = np.asarray(seconds, np.float64)[:, None]
    sums = np.stack([(vectors * weights)[labels == label].sum(0) for label in range(int(labels.max()) + 1)])
    return _unit(sums)


def _main_voices(sums: Voices, heard: Voices, rules: ClusterRules) -> Voices:
    return _unit(sums[heard >= min(rules.least, heard.max())])


def _unit(sums: Voices) -> Voices:
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(sums / np.maximum(lengths, 1e-9), np.float64)


def _agglomerate(sums: Voices, weights: Voices, alike: float, most: int) -> tuple[Voices, Voices]:
    """Join the two clusters that are most alike, until none are alike enough and there are at most `most`."""
    sums, weights = np.array(sums, np.float64), np.array(weights, np.float64)
    there = np.ones(len(sums), bool)
    means = sums / weights[:, None]
    likeness = means @ means.T
    np.fill_diagonal(likeness, -np.inf)
    left = len(sums)
    while left > 1:
        one, other = np.unravel_index(int(np.argmax(likeness)), likeness.shape)
        if likeness[one, other] < alike and not 0 < most < left:
            break
        sums[one] += sums[other]
        weights[one] += weights[other]
        there[other] = False
        likeness[other] = likeness[:, other] = -np.inf
        row = (sums / weights[:, None]) @ (sums[one] / weights[one])
        row[~there] = row[one] = -np.inf
        likeness[one] = likeness[:, one] = row
        left -= 1
    return sums[there], weights[there]
