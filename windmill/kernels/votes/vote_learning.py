"""Learns, without labels, how far to trust merged boxes in the vote, and how likely what a fleet names is at all.

The other kinds of service judge what the boxes show: how likely they make an emoji tells, over many images, how often
boxes of some weight are right. They judge with errors of their own, which their present weights foretell and which are
taken off again. Boxes are then moved part of the way by which this fleet differs from a typical one. Detectors that
make the same mistakes do no harm here, because none of them is asked.

Fleets that name much that is not there (every weak box, say) show it by a low share of likely emojis. Then all emojis
get less likely. That the share is high proves nothing: services may agree on what is wrong.
"""

import math
from array import array
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from windmill.kernels.votes.ballots import logit
from windmill.kernels.votes.evidence import Standing, best_confidence, combine, log_odds, silences, strength, voices
from windmill.kernels.votes.standings import parse_answers, standings
from windmill.kernels.votes.vote_calibration import TypicalFleet, VoteCalibration
from windmill.kernels.votes.vote_design import VoteExample
from windmill.kernels.votes.vote_scores import LEFT_OUT

FEWEST_SHOWN = 200
"""With fewer emojis that boxes show nothing is learnt."""
FEWEST_TOLD = 0.3
"""By so much the other kinds must believe more in what is likely than in what is not; else they cannot judge."""
_WAY = 0.5
"""How far the weight of boxes moves towards what the history says."""
_MOST_ODDS, _MOST_SLOPE = 2.0, 0.5
"""The most that it changes by, and by which share."""
_MUCH = 0.3
"""By how much, in log-odds, the share of likely emojis must be lower than usual: three times as much as fleets differ
that these weights suit."""
_PRIOR_WAY = 2.0
"""How far the prior moves by the rest. The share is told with the present prior, so it shows only a part of what is
wrong with that."""
_PARTS = 8
_LEAST_SPREAD = 1.0
"""Of the weights of boxes, in log-odds: a line through less than that is none."""
_SHARES = 0.02, 0.98

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class VoteLook:
    """What was seen of a fleet: how many emojis were named, how many of them boxes show, how much the other kinds of
    service tell apart, and what is compared with a typical fleet; None where nobody could tell."""

    named: int
    shown: int
    told: float
    fleet: TypicalFleet | None


@dataclass(frozen=True)
class LearntVotes:
    """The calibration, what was seen, and why nothing was learnt if so."""

    calibration: VoteCalibration
    look: VoteLook
    kept: str = ""


class VoteHistory:
    """Collects what is named in images, of which little is kept. Each should have the answers of all services."""

    def __init__(self, start: VoteCalibration) -> None:
        self._start = start
        self._odds, self._others, self._boxes = array("d"), array("d"), array("d")

    def add(self, example: VoteExample) -> None:
        parsed = parse_answers(example.answers, self._start, boxes=example.boxes)
        for standing in standings(parsed, self._start)[0]:
            if standing.emoji not in LEFT_OUT:
                self._add(standing)

    def learn(self) -> LearntVotes:
        """What this history teaches; the constants that it began with where that is nothing."""
        look, start = self.look(), self._start
        if start.typical is None:
            return LearntVotes(start, look, "these weights are not those that Windmill comes with")
        if look.shown < FEWEST_SHOWN:
            return LearntVotes(start, look, f"merged boxes show fewer than {FEWEST_SHOWN} emojis")
        if look.fleet is None:
            return LearntVotes(start, look, "the other kinds of service cannot judge these boxes")
        return LearntVotes(_moved(start, look.fleet, start.typical), look)

    def look(self) -> VoteLook:
        """What there is to see of this fleet."""
        chance, others = _chance(np.asarray(self._odds)), _chance(np.asarray(self._others))
        weight = np.asarray(self._boxes)
        shown = ~np.isnan(weight)
        count = int(shown.sum())
        if count < FEWEST_SHOWN:
            return VoteLook(len(chance), count, 0.0, None)
        right, wrong = float(np.average(others, weights=chance)), float(np.average(others, weights=1 - chance))
        told = right - wrong
        if told < FEWEST_TOLD or np.ptp(weight[shown]) < _LEAST_SPREAD:
            return VoteLook(len(chance), count, told, None)
        odds, slope = _line(weight[shown], (others[shown] - wrong) / told)
        among_all = logit((float(others.mean()) - wrong) / told)
        return VoteLook(len(chance), count, told, TypicalFleet(odds - among_all, slope, logit(float(chance.mean()))))

    def _add(self, standing: Standing) -> None:
        start, family = self._start, self._start.boxes.family
        said = combine(voices(standing, start).get(family, ()), start.family(family).share)
        unsaid = combine(silences(standing, start).get(family, ()), start.family(family).silent_share)
        odds, boxes = log_odds(standing, start), standing.boxes
        self._odds.append(odds)
        self._others.append(odds - said + unsaid)
        self._boxes.append(strength(start.boxes, best_confidence(boxes), len(boxes)) if boxes else math.nan)


def _moved(start: VoteCalibration, fleet: TypicalFleet, typical: TypicalFleet) -> VoteCalibration:
    """Boxes say `more` than before, and `factor` times as much."""
    more = _within(_WAY * (fleet.odds - typical.odds), _MOST_ODDS)
    factor = 1 + _within(_WAY * (fleet.slope - typical.slope), _MOST_SLOPE)
    boxes = replace(
        start.boxes,
        voice=round(more + factor * start.boxes.voice, 3),
        slope=round(factor * start.boxes.slope, 3),
        again=round(factor * start.boxes.again, 3),
    )
    lower = min(0.0, _within(_PRIOR_WAY * (fleet.likely - typical.likely + _MUCH), _MOST_ODDS))
    return replace(start, boxes=boxes, prior=round(start.prior + lower, 3), typical=None)


def _line(weight: Floats, share: Floats) -> tuple[float, float]:
    """The log-odds for weight 0, and what a weight of 1 adds: the line that comes nearest to the shares of parts of the
    boxes, from the lightest to the heaviest. Noise may bring a share out of its range."""
    parts = np.array_split(np.argsort(weight, kind="stable"), _PARTS)
    means = np.array([weight[part].mean() for part in parts])
    shares = np.clip([share[part].mean() for part in parts], *_SHARES)
    certain = shares * (1 - shares)
    slope, odds = np.polyfit(means, np.log(shares / (1 - shares)), 1, w=np.sqrt(certain))
    return float(odds), float(slope)


def _chance(odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -30, 30))), dtype=np.float64)


def _within(value: float, most: float) -> float:
    return min(max(value, -most), most)
