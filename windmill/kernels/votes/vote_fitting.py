"""Fits the weights of the vote to labelled images, with the current calibration as prior."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from windmill.kernels.votes.evidence import listing_threshold, probability
from windmill.kernels.votes.standings import parse_answers, standings
from windmill.kernels.votes.vote_calibration import Family, VoteCalibration
from windmill.kernels.votes.vote_design import BOXES, PRIOR, Floats, Rows, VoteExample, Weight, rows_of
from windmill.kernels.votes.vote_scores import figures, judge_vote

_WEIGHT_PRECISION, _SHARE_PRECISION = 4.0, 40.0
"""The precisions (1 / variance) of the prior on the weights and on the shares of families."""
_STEPS, _ENOUGH, _MOST_DAMPING = 60, 0.05, 1e5
_NEVER_NEGATIVE = ("slope", "again", "lag", "silence", "confirms")
_MAX_WEIGHT = 10.0


def fit(examples: Sequence[VoteExample], start: VoteCalibration) -> VoteCalibration:
    """The most likely calibration for these examples; `start` if there are none. What was typical of other weights is
    dropped."""
    rows = rows_of(examples, start)
    if not len(rows):
        return start
    return _with_weights(start, rows, *_Search(rows, start).run())


def score(examples: Sequence[VoteExample], calibration: VoteCalibration) -> dict[str, float]:
    """How well the vote does on these examples; what only specialists name is not looked at."""
    return figures([judge_vote(*listing(example, calibration), example.truth) for example in examples])


def listing(example: VoteExample, calibration: VoteCalibration) -> tuple[dict[str, float], set[str]]:
    """How likely each emoji is, and which are listed, as the vote would have it."""
    parsed = parse_answers(example.answers, calibration, boxes=example.boxes)
    found = standings(parsed, calibration)[0]
    chances = {one.emoji: probability(one, calibration) for one in found}
    return chances, {one.emoji for one in found if chances[one.emoji] >= listing_threshold(one, calibration)}


class _Search:
    """Finds the most likely weights, and shares of families, by damped Newton steps from a calibration."""

    def __init__(self, rows: Rows, start: VoteCalibration) -> None:
        self._rows = rows
        families = [start.family(name) for name in rows.families]
        shares = [family.share for family in families] + [family.silent_share for family in families]
        self._before = np.asarray([_weight(start, name) for name in rows.weights] + shares)
        low = [0.0 if what in _NEVER_NEGATIVE else -_MAX_WEIGHT for _, what in rows.weights]
        self._low = np.asarray(low + [0.0] * len(shares))
        self._high = np.asarray([_MAX_WEIGHT] * len(low) + [1.0] * len(shares))
        self._belief = np.asarray([_WEIGHT_PRECISION] * len(low) + [_SHARE_PRECISION] * len(shares))

    def run(self) -> tuple[Floats, Floats, Floats]:
        """The weights, and the shares of votes and of silences."""
        point, damping, cost = self._before, 1.0, self._cost(self._before)
        slope, bend = self._derivatives(point)
        for _ in range(_STEPS):
            after = self._step(point, slope, bend, damping)
            gain = cost - self._cost(after)
            if gain > 0:
                point, cost, damping = after, cost - gain, damping / 2
                slope, bend = self._derivatives(point)
            else:
                damping *= 4
            if 0 < gain < _ENOUGH or damping > _MOST_DAMPING:
                break
        return self._parts(point)

    def _parts(self, point: Floats) -> tuple[Floats, Floats, Floats]:
        ends = len(self._rows.weights), len(self._rows.weights) + len(self._rows.families)
        return point[: ends[0]], point[ends[0] : ends[1]], point[ends[1] :]

    def _log_odds(self, point: Floats) -> Floats:
        weights, shares, silent_shares = self._parts(point)
        rows = self._rows
        said, unsaid = rows.said.sums(weights, shares, len(rows)), rows.unsaid.sums(weights, silent_shares, len(rows))
        return rows.givens @ weights + said - unsaid

    def _cost(self, point: Floats) -> float:
        log_odds = self._log_odds(point)
        misfit = float(np.sum(np.logaddexp(0, log_odds) - self._rows.true * log_odds))
        return misfit + float(self._belief @ (point - self._before) ** 2) / 2

    def _derivatives(self, point: Floats) -> tuple[Floats, Floats]:
        """The direction downhill, and the curvature, while the strongest of each family stay the same."""
        (weights, shares, silent_shares), rows = self._parts(point), self._rows
        own = rows.givens + rows.said.design(weights, shares, len(rows))
        own -= rows.unsaid.design(weights, silent_shares, len(rows))
        others = (part.weaker(weights, len(rows.families), len(rows)) for part in (rows.said, rows.unsaid))
        design = np.concatenate((own, next(others), -next(others)), axis=1)
        chances = 1 / (1 + np.exp(-np.clip(self._log_odds(point), -30, 30)))
        downhill = design.T @ (rows.true - chances) - self._belief * (point - self._before)
        return downhill, (design * (chances * (1 - chances))[:, None]).T @ design + np.diag(self._belief)

    def _step(self, point: Floats, downhill: Floats, curvature: Floats, damping: float) -> Floats:
        """Where a step leads; what would leave its range stays at the edge, and the others make up for it."""
        damped = curvature + damping * np.diag(np.diag(curvature))
        free = np.ones(len(point), dtype=np.bool_)
        step = np.zeros(len(point))
        for _ in range(len(point)):
            step[:] = 0.0
            step[free] = np.linalg.solve(damped[np.ix_(free, free)], downhill[free])
            stuck = free & (((point <= self._low) & (step < 0)) | ((point >= self._high) & (step > 0)))
            if not stuck.any():
                break
            free &= ~stuck
        return np.clip(point + step, self._low, self._high)


def _weight(calibration: VoteCalibration, name: Weight) -> float:
    if name == PRIOR:
        return calibration.prior
    owner, what = name
    if what == "commoner":
        return calibration.commoner[owner]
    return float(getattr(calibration.boxes if owner == BOXES else calibration.of(owner), what))


def _with_weights(
    calibration: VoteCalibration, rows: Rows, weights: Floats, shares: Floats, silent_shares: Floats
) -> VoteCalibration:
    owners: dict[str, dict[str, Any]] = {}
    for (owner, what), weight in zip(rows.weights, weights.tolist(), strict=True):
        owners.setdefault(owner, {})[what] = round(weight, 3)
    prior, boxes = owners.pop("")["prior"], owners.pop(BOXES, {})
    of_families = zip(rows.families, shares.tolist(), silent_shares.tolist(), strict=True)
    commoner = {name: owners.pop(name)["commoner"] for name in calibration.commoner if name in owners}
    services = {name: replace(calibration.of(name), **own) for name, own in owners.items()}
    families = {name: Family(round(share, 2), round(silent_share, 2)) for name, share, silent_share in of_families}
    return replace(
        calibration,
        prior=prior,
        commoner={**calibration.commoner, **commoner},
        boxes=replace(calibration.boxes, **boxes),
        services={**calibration.services, **services},
        families={**calibration.families, **families},
        typical=None,
    )
