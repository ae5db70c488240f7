"""The vote as a linear model: the design matrix with one row per emoji of each image, for fitting.

A weight is named (service, what): ("yolov8", "slope"), ("boxes", "voice"), ("", "prior"), ("🧑", "commoner").
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from windmill.kernels.votes.emojis import group_of
from windmill.kernels.votes.evidence import Standing, best_confidence, log_count, logit
from windmill.kernels.votes.standings import parse_answers, standings
from windmill.kernels.votes.vote_calibration import VoteCalibration

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Weight = tuple[str, str]
PRIOR: Weight = ("", "prior")
BOXES = "boxes"


@dataclass(frozen=True)
class VoteExample:
    """The answers for one image, and its true emojis."""

    answers: Mapping[str, object]
    truth: frozenset[str]
    boxes: Sequence[object] = field(default=())


class Opinion(NamedTuple):
    """One yes or one silence on the emoji of a row: the indexes of its weights, and the factors of two of them."""

    row: int
    family: int
    weight: int
    slope: int
    again: int
    log_odds: float
    log_count: float


@dataclass(frozen=True)
class Opinions:
    """Opinions as arrays of shape (n,)."""

    row: Ints
    family: Ints
    weight: Ints
    slope: Ints
    again: Ints
    log_odds: Floats
    log_count: Floats

    @classmethod
    def of(cls, opinions: Sequence[Opinion]) -> "Opinions":
        table = np.asarray(opinions, dtype=np.float64).reshape(-1, len(Opinion._fields))
        row, family, weight, slope, again = table[:, :5].astype(np.int64).T
        return cls(row, family, weight, slope, again, table[:, 5], table[:, 6])

    def design(self, weights: Floats, shares: Floats, rows: int) -> Floats:
        """The design matrix, shape (rows, weights)."""
        counts, cells = self._counts(weights, shares), self.row * len(weights)
        table: Floats = np.zeros(rows * len(weights), dtype=np.float64)
        for weight, factor in ((self.weight, 1.0), (self.slope, self.log_odds), (self.again, self.log_count)):
            np.add(table, np.bincount(cells + weight, counts * factor, len(table)), out=table)
        return table.reshape(rows, len(weights))

    def sums(self, weights: Floats, shares: Floats, rows: int) -> Floats:
        """The sum of the opinions of each row, shape (rows,)."""
        opinions = self._counts(weights, shares) * self._strengths(weights)
        return np.bincount(self.row, opinions, rows).astype(np.float64)

    def _strengths(self, weights: Floats) -> Floats:
        return weights[self.weight] + weights[self.slope] * self.log_odds + weights[self.again] * self.log_count

    def _counts(self, weights: Floats, shares: Floats) -> Floats:
        """The factor of each opinion: 1 for the strongest of a family in a row, a share for the others."""
        strengths = self._strengths(weights)
        order = np.lexsort((-strengths, self.family, self.row))
        row, family = self.row[order], self.family[order]
        leads = np.ones(len(order), dtype=bool)
        leads[1:] = (row[1:] != row[:-1]) | (family[1:] != family[:-1])
        counts = np.empty(len(order))
        counts[order] = np.where(leads, 1.0, shares[family]) * (strengths[order] > 0)
        return counts


@dataclass(frozen=True)
class Rows:
    """All emojis of all examples: the opinions for and against each, and whether it is true."""

    weights: tuple[Weight, ...]
    families: tuple[str, ...]
    said: Opinions
    unsaid: Opinions
    true: Floats
    givens: Floats
    """The constant part of the design matrix: the prior, and the rows of common emojis; shape (n, weights)."""

    def __len__(self) -> int:
        return len(self.true)


def rows_of(examples: Iterable[VoteExample], calibration: VoteCalibration) -> Rows:
    """The rows of these examples under the services, vocabularies and families of a calibration."""
    collector = _Collector(calibration)
    for example in examples:
        truth = {group_of(emoji) for emoji in example.truth}
        parsed = parse_answers(example.answers, calibration, boxes=example.boxes)
        for standing in standings(parsed, calibration)[0]:
            collector.add(standing, standing.emoji in truth)
    return collector.rows()


class _Collector:
    """Collects rows, and assigns indexes to weights and families in order of appearance."""

    def __init__(self, calibration: VoteCalibration) -> None:
        self._calibration = calibration
        self._weights: dict[Weight, int] = {PRIOR: 0}
        self._families: dict[str, int] = {}
        self._said: list[Opinion] = []
        self._unsaid: list[Opinion] = []
        self._true: list[bool] = []
        self._common: list[tuple[int, int]] = []

    def add(self, standing: Standing, is_true: bool) -> None:
        row = len(self._true)
        self._true.append(is_true)
        if standing.emoji in self._calibration.commoner:
            self._common.append((row, self._number((standing.emoji, "commoner"))))
        for service, ballot in standing.yes.items():
            self._said.append(self._yes(row, service, ballot.confidence, ballot.count))
        if standing.boxes:
            self._said.append(self._yes(row, BOXES, best_confidence(standing.boxes), len(standing.boxes)))
        self._said += [self._plain(row, service, "confirms") for service in standing.only_confirming()]
        self._unsaid += [self._plain(row, service, "silence") for service in standing.silent]

    def rows(self) -> Rows:
        return Rows(
            tuple(self._weights),
            tuple(self._families),
            Opinions.of(self._said),
            Opinions.of(self._unsaid),
            np.asarray(self._true, dtype=np.float64),
            self._givens(),
        )

    def _givens(self) -> Floats:
        givens = np.zeros((len(self._true), len(self._weights)))
        givens[:, 0] = 1.0
        for row, weight in self._common:
            givens[row, weight] = 1.0
        return givens

    def _number(self, weight: Weight) -> int:
        return self._weights.setdefault(weight, len(self._weights))

    def _yes(self, row: int, owner: str, confidence: float | None, count: int) -> Opinion:
        voice, slope, again = (self._number((owner, what)) for what in ("voice", "slope", "again"))
        return Opinion(row, self._family(owner), voice, slope, again, logit(confidence), log_count(count))

    def _plain(self, row: int, service: str, what: str) -> Opinion:
        weight = self._number((service, what))
        return Opinion(row, self._family(service), weight, weight, weight, 0.0, 0.0)

    def _family(self, owner: str) -> int:
        name = self._calibration.boxes.family if owner == BOXES else self._calibration.family_of(owner)
        return self._families.setdefault(name, len(self._families))
