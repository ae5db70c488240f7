"""Scores of a talk, by the definitions of pyannote.metrics and jiwer: diarisation error with its three parts, word
errors, and errors of counts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from windmill.kernels.audio.spans import Span, common, merged, without
from windmill.kernels.audio.speaker_turns import SpeakerTurn


@dataclass(frozen=True)
class DiarisationScore:
    """Seconds of each kind of error, and of reference speech; those of two who speak at once count twice."""

    false_alarm: float = 0.0
    missed: float = 0.0
    confused: float = 0.0
    speech: float = 0.0

    def __add__(self, other: "DiarisationScore") -> "DiarisationScore":
        parts = (self.false_alarm + other.false_alarm, self.missed + other.missed, self.confused + other.confused)
        return DiarisationScore(*parts, self.speech + other.speech)

    @property
    def rate(self) -> float:
        return (self.false_alarm + self.missed + self.confused) / self.speech if self.speech else 0.0


def diarisation_score(
    truth: Sequence[SpeakerTurn], found: Sequence[SpeakerTurn], collar: float = 0.0
) -> DiarisationScore:
    """`collar` seconds around each boundary of the truth, half of them on either side, are left out."""
    ignored = [(edge - collar / 2, edge + collar / 2) for turn in truth for edge in turn.span] if collar else []
    names = best_mapping(truth, found)
    score = DiarisationScore()
    for span in _elementary(truth, found):
        for start, end in without(span, ignored):
            middle, seconds = (start + end) / 2, end - start
            real = {turn.speaker for turn in truth if turn.t0 <= middle < turn.t1}
            said = {names.get(turn.speaker, f"?{turn.speaker}") for turn in found if turn.t0 <= middle < turn.t1}
            right = len(real & said)
            false, missed = max(0, len(said) - len(real)), max(0, len(real) - len(said))
            confused = min(len(real), len(said)) - right
            score += DiarisationScore(seconds * false, seconds * missed, seconds * confused, seconds * len(real))
    return score


def _elementary(*all_turns: Sequence[SpeakerTurn]) -> list[Span]:
    edges = sorted({edge for turns in all_turns for turn in turns for edge in turn.span})
    return [span for span in pairwise(edges) if span[1] - span[0] > 1e-9]


def best_mapping(truth: Sequence[SpeakerTurn], found: Sequence[SpeakerTurn]) -> dict[str, str]:
    """Which speaker of the truth each found one is, so that they have the most seconds in common."""
    real, said = (list(dict.fromkeys(turn.speaker for turn in turns)) for turns in (truth, found))
    table = np.array([[_shared(truth, found, one, other) for one in real] for other in said]).reshape(len(said), -1)
    best = _assign(table, 0, frozenset())
    return {said[row]: real[column] for row, column in best[1].items()}


def _shared(truth: Sequence[SpeakerTurn], found: Sequence[SpeakerTurn], real: str, said: str) -> float:
    ours = merged(turn.span for turn in truth if turn.speaker == real)
    theirs = merged(turn.span for turn in found if turn.speaker == said)
    return sum(common(one, other) for one in ours for other in theirs)


def _assign(table: npt.NDArray[np.float64], row: int, taken: frozenset[int]) -> tuple[float, dict[int, int]]:
    """The best choice of columns for the rows from here on; a row may go without."""
    if row == len(table):
        return 0.0, {}
    best = _assign(table, row + 1, taken)
    for column in range(table.shape[1]):
        if column in taken or table[row, column] <= 0:
            continue
        value, chosen = _assign(table, row + 1, taken | {column})
        if value + table[row, column] > best[0]:
            best = value + float(table[row, column]), {row: column, **chosen}
    return best


def word_errors(truth: Sequence[str], heard: Sequence[str]) -> int:
    """Substitutions, deletions and insertions, as few as possible."""
    row = list(range(len(heard) + 1))
    for number, word in enumerate(truth, 1):
        before, row[0] = row[0], number
        for place, other in enumerate(heard, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (word != other))
    return row[-1]


def plain_words(text: str) -> list[str]:
    """The same normalisation for both sides: letters, digits and apostrophes in small letters."""
    kept = "".join(letter if letter.isalnum() or letter == "'" else " " for letter in text.lower())
    return kept.split()


def count_error(truth: Mapping[tuple[str, str], int], found: Mapping[tuple[str, str], int]) -> float:
    """The differences of all counts by speaker and word, as a share of what there is to count."""
    total = sum(truth.values())
    wrong = sum(abs(truth.get(key, 0) - found.get(key, 0)) for key in {*truth, *found})
    return wrong / total if total else float(wrong)


def counts_of(said: Sequence[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """By speaker and word."""
    return Counter((speaker, word) for speaker, text in said for word in plain_words(text))
