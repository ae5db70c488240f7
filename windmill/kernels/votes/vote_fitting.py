"""Fits the weights of the vote to labelled images, with the current calibration as prior."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from windmill.kernels.votes.evidence import listing_threshold, probability
from windmill.kernels.votes.standings import parse_answers, standings
from windmill.kernels.votes.vote_calibration import Family, VoteCalibration
from windmill.kernels.votes.vote_design import BOXES, PRIOR, Floats, Rows, VoteExample, Weight, rows_of
from windmill.kernels.votes.vote_scores import figures, judge_vote

_PRIOR_PRECISION = 4.0
"""The precision (1 / variance) of the prior on the weights."""
_ROUNDS, _STEPS = 4, 6
_SHARES = np.arange(11) * 0.1
_NEVER_NEGATIVE = ("slope", "again", "silence", "confirms")
_MAX_WEIGHT = 10.0


@dataclass(frozen=True)
class _Fit:
    """The weights, and for each family the shares of its weaker votes and silences."""

    weights: Floats
    shares: Floats
    silent_shares: Floats

    def design(self, rows: Rows) -> Floats:
        said = rows.said.design(self.weights, self.shares, len(rows))
        said -= rows.unsaid.design(self.weights, self.silent_shares, len(rows))
        return said + rows.givens

    def loss(self, rows: Rows) -> float:
        """The mean log loss."""
        log_odds = rows.givens @ self.weights + rows.said.sums(self.weights, self.shares, len(rows))
        log_odds -= rows.unsaid.sums(self.weights, self.silent_shares, len(rows))
        return float(np.mean(np.logaddexp(0, log_odds) - rows.true * log_odds))


def fit(examples: Sequence[VoteExample], start: VoteCalibration) -> VoteCalibration:
    """The most likely calibration for these examples; `start` if there are none."""
    rows = rows_of(examples, start)
    if not len(rows):
        return start
    before = np.asarray([_weight(start, name) for name in rows.weights])
    families = [start.family(name) for name in rows.families]
    fitted = _Fit(
        before,
        np.asarray([family.share for family in families]),
        np.asarray([family.silent_share for family in families]),
    )
    for _ in range(_ROUNDS):
        for _ in range(_STEPS):
            fitted = replace(fitted, weights=_step(fitted, rows, before))
        fitted = _best_shares(fitted, rows)
    return _with_weights(start, rows, fitted)


def score(examples: Sequence[VoteExample], calibration: VoteCalibration) -> dict[str, float]:
    """How well the vote does on these examples; what only specialists name is not looked at."""
    return figures([judge_vote(*listing(example, calibration), example.truth) for example in examples])


def listing(example: VoteExample, calibration: VoteCalibration) -> tuple[dict[str, float], set[str]]:
    """How likely each emoji is, and which are listed, as the vote would have it."""
    parsed = parse_answers(example.answers, calibration, boxes=example.boxes)
    found = standings(parsed, calibration)[0]
    chances = {one.emoji: probability(one, calibration) for one in found}
    return chances, {one.emoji for one in found if chances[one.emoji] >= listing_threshold(one, calibration)}


def _step(fitted: _Fit, rows: Rows, before: Floats) -> Floats:
    """One projected Newton step towards the most likely weights."""
    design = fitted.design(rows)
    chances = 1 / (1 + np.exp(-np.clip(design @ fitted.weights, -30, 30)))
    slope = design.T @ (rows.true - chances) - _PRIOR_PRECISION * (fitted.weights - before)
    bend = (design * (chances * (1 - chances))[:, None]).T @ design + _PRIOR_PRECISION * np.eye(len(before))
    low = np.asarray([0.0 if what in _NEVER_NEGATIVE else -_MAX_WEIGHT for _, what in rows.weights])
    free = np.ones(len(before), dtype=bool)
    step = np.zeros(len(before))
    for _ in range(len(before)):
        step[:] = 0.0
        step[free] = np.linalg.solve(bend[np.ix_(free, free)], slope[free])
        stuck = free & (fitted.weights <= low) & (step < 0)
        if not stuck.any():
            break
        free &= ~stuck
    return np.clip(fitted.weights + step, low, _MAX_WEIGHT)


def _best_shares(fitted: _Fit, rows: Rows) -> _Fit:
    """Optimise each share in turn over a grid from 0 to 1; a share without effect stays as it is."""
    for number in range(len(rows.families)):
        for which in ("shares", "silent_shares"):
            tried = [fitted]
            for share in _SHARES:
                shares = getattr(fitted, which).copy()
                shares[number] = share
                tried.append(replace(fitted, **{which: shares}))
            fitted = min(tried, key=lambda one: round(one.loss(rows), 9))
    return fitted


def _weight(calibration: VoteCalibration, name: Weight) -> float:
    if name == PRIOR:
        return calibration.prior
    owner, what = name
    if what == "commoner":
        return calibration.commoner[owner]
    return float(getattr(calibration.boxes if owner == BOXES else calibration.of(owner), what))


def _with_weights(calibration: VoteCalibration, rows: Rows, fitted: _Fit) -> VoteCalibration:
    owners: dict[str, dict[str, Any]] = {}
    for (owner, what), weight in zip(rows.weights, fitted.weights.tolist(), strict=True):
        owners.setdefault(owner, {})[what] = round(weight, 3)
    prior, boxes = owners.pop("")["prior"], owners.pop(BOXES, {})
    shares = zip(rows.families, fitted.shares.tolist(), fitted.silent_shares.tolist(), strict=True)
    commoner = {name: owners.pop(name)["commoner"] for name in calibration.commoner if name in owners}
    services = {name: replace(calibration.of(name), **own) for name, own in owners.items()}
    families = {name: Family(round(share, 2), round(silent_share, 2)) for name, share, silent_share in shares}
    return replace(
        calibration,
        prior=prior,
        commoner={**calibration.commoner, **commoner},
        boxes=replace(calibration.boxes, **boxes),
        services={**calibration.services, **services},
        families={**calibration.families, **families},
    )
