"""The vote as a linear model: the design matrix with one row per emoji of each image, for fitting.

A weight is named (service, what): ("yolov8", "slope"), ("boxes", "voice"), ("", "prior"), ("🧑", "commoner").
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from windmill.kernels.votes.ballots import Ballot, logit
from windmill.kernels.votes.emojis import group_of
from windmill.kernels.votes.evidence import Standing, best_confidence, log_count
from windmill.kernels.votes.standings import parse_answers, standings
from windmill.kernels.votes.vote_calibration import VoteCalibration
from windmill.kernels.votes.vote_scores import LEFT_OUT

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
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
    """One yes or one silence on the emoji of a row: the indexes of its weights, and the factors of three of them."""

    row: int
    family: int
    weight: int
    slope: int
    again: int
    lag: int
    log_odds: float
    log_count: float
    behind: float


@dataclass(frozen=True)
class Opinions:
    """Opinions as arrays of shape (n,)."""

    row: Ints
    family: Ints
    weight: Ints
    slope: Ints
    again: Ints
    lag: Ints
    log_odds: Floats
    log_count: Floats
    behind: Floats

    @classmethod
    def of(cls, opinions: Sequence[Opinion]) -> "Opinions":
        table = np.asarray(opinions, dtype=np.float64).reshape(-1, len(Opinion._fields))
        indexes, factors = table[:, :6].astype(np.int64).T, table[:, 6:].T
        return cls(*indexes, *factors)

    def design(self, weights: Floats, shares: Floats, rows: int) -> Floats:
        """The design matrix, shape (rows, weights)."""
        counts, cells = self._counts(weights, shares), self.row * len(weights)
        table: Floats = np.zeros(rows * len(weights), dtype=np.float64)
        for weight, factor in self._terms():
            np.add(table, np.bincount(cells + weight, counts * factor, len(table)), out=table)
        return table.reshape(rows, len(weights))

    def weaker(self, weights: Floats, families: int, rows: int) -> Floats:
        """How much each family says beside its strongest opinion, shape (rows, families)."""
        strengths = self._strengths(weights)
        others = np.where(self._leads(strengths), 0.0, np.maximum(strengths, 0.0))
        cells = np.bincount(self.row * families + self.family, others, rows * families)
        return cells.astype(np.float64).reshape(rows, families)

    def sums(self, weights: Floats, shares: Floats, rows: int) -> Floats:
        """The sum of the opinions of each row, shape (rows,)."""
        opinions = self._counts(weights, shares) * self._strengths(weights)
        return np.bincount(self.row, opinions, rows).astype(np.float64)

    def _strengths(self, weights: Floats) -> Floats:
        return np.asarray(sum(weights[weight] * factor for weight, factor in self._terms()), dtype=np.float64)

    def _terms(self) -> Iterator[tuple[Ints, Floats]]:
        """The weights of each opinion, with their factors."""
        yield self.weight, np.ones(len(self.row))
        yield self.slope, self.log_odds
        yield self.again, self.log_count
        yield self.lag, -self.behind

    def _counts(self, weights: Floats, shares: Floats) -> Floats:
        """The factor of each opinion: 1 for the strongest of a family in a row, a share for the others."""
        strengths = self._strengths(weights)
        counts: Floats = np.where(self._leads(strengths), 1.0, shares[self.family]) * (strengths >= 0)
        return counts

    def _leads(self, strengths: Floats) -> Bools:
        """Which are the strongest of a family in a row."""
        order = np.lexsort((-strengths, self.family, self.row))
        row, family = self.row[order], self.family[order]
        leads = np.ones(len(order), dtype=np.bool_)
        leads[order[1:]] = (row[1:] != row[:-1]) | (family[1:] != family[:-1])
        return leads


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
    """The rows of these examples under the services, vocabularies and families of a calibration.

    What no label says is left out: that a face is never among the true emojis does not make faces false.
    """
    collector = _Collector(calibration)
    for example in examples:
        truth = {group_of(emoji) for emoji in example.truth}
        parsed = parse_answers(example.answers, calibration, boxes=example.boxes)
        for standing in standings(parsed, calibration)[0]:
            if standing.emoji in LEFT_OUT:
                continue
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
            self._said.append(self._yes(row, service, ballot))
        if standing.boxes:
            self._said.append(self._shown(row, best_confidence(standing.boxes), len(standing.boxes)))
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

    def _yes(self, row: int, service: str, ballot: Ballot) -> Opinion:
        voice, slope, again, lag = (self._number((service, what)) for what in ("voice", "slope", "again", "lag"))
        factors = logit(ballot.confidence), log_count(ballot.count), ballot.behind
        return Opinion(row, self._family(service), voice, slope, again, lag, *factors)

    def _shown(self, row: int, confidence: float | None, count: int) -> Opinion:
        voice, slope, again = (self._number((BOXES, what)) for what in ("voice", "slope", "again"))
        return Opinion(row, self._family(BOXES), voice, slope, again, voice, logit(confidence), log_count(count), 0.0)

    def _plain(self, row: int, service: str, what: str) -> Opinion:
        weight = self._number((service, what))
        return Opinion(row, self._family(service), weight, weight, weight, weight, 0.0, 0.0, 0.0)

    def _family(self, owner: str) -> int:
        name = self._calibration.boxes.family if owner == BOXES else self._calibration.family_of(owner)
        return self._families.setdefault(name, len(self._families))
