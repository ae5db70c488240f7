"""Which stretches of speech are of one speaker: vectors of voices, clustered without knowing how many there are.

One voice is not the same all evening: its stretches form a chain, whose neighbours are alike and whose ends need not
be. Two people have few stretches that are alike, even where the average of all pairs is no lower. So two clusters are
as alike as a high power mean of all pairs of their stretches, which the pairs that are most alike decide; it is a mean,
so it does not grow with the number of stretches, as the best pair would.

What is left over are odd stretches: a laugh, a shout, two who speak at once. A cluster of few seconds is a speaker only
if it is like nobody else.

Before that, a long talk is made smaller, block by block: time and memory grow with its length, and not with its square.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from windmill.kernels.audio.pcm import Floats

BLOCK = 256
_POWER = 32
_SHARE = 1 / 8
Labels = npt.NDArray[np.int64]
Voices = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ClusterRules:
    """Clusters that are less `alike` are two speakers. Stretches under `certain` seconds begin no speaker, and no
    speaker says less than `least` seconds in all. Who says `established` seconds, in more than one stretch, is a
    speaker; a smaller cluster is taken for those to whom it is `familiar` on average. At most so many speakers; 0 for
    as many as are heard."""

    alike: float = 0.79
    certain: float = 1.2
    least: float = 2.0
    established: float = 6.0
    familiar: float = 0.6
    most_speakers: int = 0


@dataclass(frozen=True)
class Clusters:
    """The sum of the vectors of each cluster, weighted with its seconds; its seconds, and how many stretches it has."""

    sums: Voices
    seconds: Voices
    stretches: Labels

    def likeness(self, one: int, others: Sequence[int]) -> float:
        """To the one of the others that it is most like, on average over all pairs."""
        means = self.sums / self.seconds[:, None]
        return float(np.max(means[list(others)] @ means[one]))


def cluster_voices(vectors: Floats, seconds: Sequence[float], rules: ClusterRules) -> Labels:
    """The number of its speaker for each stretch, counted from 0 in the order in which they begin to speak."""
    if not len(vectors):
        return np.zeros(0, np.int64)
    weights = np.asarray(seconds, np.float64)
    certain = np.flatnonzero(weights >= min(rules.certain, weights.max()))
    clusters = _clusters(vectors[certain], weights[certain], _groups(vectors[certain], weights[certain], rules.alike))
    voices = _unit(clusters.sums[_speakers(clusters, rules)])
    if 0 < rules.most_speakers < len(voices):
        joined = _join(voices, np.ones(len(voices)), 1, np.inf, rules.most_speakers)
        voices = voices_of(voices, joined, np.ones(len(voices)))
    return by_first(nearest(vectors, voices))


def nearest(vectors: Floats, voices: Voices) -> Labels:
    """The voice that each vector is most alike."""
    return np.asarray(np.argmax(vectors @ voices.T, axis=1), np.int64)


def by_first(labels: Labels) -> Labels:
    """The same groups, numbered in the order in which they appear."""
    order: dict[int, int] = {}
    return np.array([order.setdefault(int(label), len(order)) for label in labels], np.int64)


def voices_of(vectors: Floats | Voices, labels: Labels, seconds: Sequence[float] | Voices) -> Voices:
    """A unit vector for each label."""
    return _unit(_clusters(vectors, np.asarray(seconds, np.float64), labels).sums)


def _clusters(vectors: Floats | Voices, seconds: Voices, labels: Labels) -> Clusters:
    count = int(labels.max()) + 1
    sums = np.zeros((count, vectors.shape[1]))
    np.add.at(sums, labels, vectors * seconds[:, None])
    heard = np.asarray(np.bincount(labels, seconds, count), np.float64)
    return Clusters(sums, heard, np.bincount(labels, minlength=count))


def _unit(sums: Voices) -> Voices:
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(sums / np.maximum(lengths, 1e-9), np.float64)


def _speakers(clusters: Clusters, rules: ClusterRules) -> list[int]:
    """The clusters that are speakers, those who say most first."""
    much = clusters.seconds.sum() * _SHARE
    enough = clusters.seconds >= min(rules.established, much)
    established = enough & ((clusters.stretches > 1) | (clusters.seconds >= much))
    found: list[int] = []
    for one in np.argsort(-clusters.seconds, kind="stable"):
        strange = clusters.seconds[one] >= rules.least and clusters.likeness(one, found or [one]) < rules.familiar
        if not found or established[one] or strange:
            found.append(int(one))
    return found


def _groups(vectors: Floats, seconds: Voices, alike: float) -> Labels:
    """The cluster of each stretch."""
    points, weights, owners = np.asarray(vectors, np.float64), seconds, np.arange(len(vectors))
    while len(points) > BLOCK:
        smaller = _by_blocks(points, weights)
        clusters = _clusters(points, weights, smaller)
        points, weights, owners = _unit(clusters.sums), clusters.seconds, smaller[owners]
    return _join(points, weights, _POWER, alike)[owners]


def _by_blocks(points: Voices, weights: Voices) -> Labels:
    """Those that are most alike as one, until a quarter of each block is left."""
    labels = np.zeros(0, np.int64)
    for start in range(0, len(points), BLOCK):
        own = slice(start, start + BLOCK)
        joined = _join(points[own], weights[own], 1, np.inf, BLOCK // 4)
        labels = np.concatenate([labels, joined + (labels.max() + 1 if len(labels) else 0)])
    return labels


def _join(points: Voices, weights: Voices, power: int, alike: float, most: int = 0) -> Labels:
    """Join the two clusters that are most alike, until none are alike enough and there are at most `most`. Of all pairs
    the sums of powers are kept, so those of two clusters that are joined add up."""
    heard, labels = np.array(weights, np.float64), np.arange(len(points))
    powers = np.maximum(points @ points.T, 0.0) ** power * np.outer(heard, heard)
    likeness = powers / np.outer(heard, heard)
    np.fill_diagonal(likeness, -1.0)
    for left in range(len(points), 1, -1):
        one, other = np.unravel_index(int(np.argmax(likeness)), likeness.shape)
        if likeness[one, other] < alike**power and not 0 < most < left:
            break
        powers[one] += powers[other]
        powers[:, one] += powers[:, other]
        heard[one] += heard[other]
        labels[labels == other] = one
        gone = likeness[one] < 0
        row = np.where(gone, -1.0, powers[one] / (heard[one] * heard))
        row[one] = -1.0
        likeness[one] = likeness[:, one] = row
        likeness[other] = likeness[:, other] = -1.0
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)
