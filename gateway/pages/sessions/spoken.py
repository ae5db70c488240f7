"""What was said, turn by turn, with what was heard and where nothing was recorded. Pure."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from gateway.pages.sessions.voices import VoiceView
from windmill.kernels.text.spoken_words import SpokenWord
from windmill.operate.sessions.talk_page import PART_WORDS, SaidPart

_MOST_WORDS, _PAUSE = 80, 3.0


@dataclass(frozen=True)
class TurnWord:
    """A word; `raw` is what was heard where `rule` has corrected it."""

    t0: float
    text: str
    counted: bool
    raw: str | None = None
    rule: str | None = None


@dataclass(frozen=True)
class TurnView:
    """What one voice said without a long pause; without words, time that was not recorded."""

    t0: float
    t1: float
    voice: VoiceView | None = None
    words: tuple[TurnWord, ...] = ()


@dataclass(frozen=True)
class SpokenView:
    """A part of all turns."""

    turns: tuple[TurnView, ...]
    part: int
    parts: int
    total: int


def spoken_view(
    said: SaidPart, voices: Mapping[uuid.UUID, VoiceView], gaps: Sequence[tuple[float, float]]
) -> SpokenView:
    turns = [*_turns(said, voices), *(TurnView(*gap) for gap in _gaps_within(said, gaps))]
    ordered = tuple(sorted(turns, key=lambda turn: turn.t0))
    return SpokenView(ordered, said.first // PART_WORDS, -(-said.total // PART_WORDS), said.total)


def _turns(said: SaidPart, voices: Mapping[uuid.UUID, VoiceView]) -> Iterator[TurnView]:
    counted = {(hit.t0, hit.word) for hit in said.hits}
    for (owner, _), group in groupby(_numbered(said), key=lambda one: one[:2]):
        words = [word for *_, word in group]
        shown = tuple(TurnWord(one.t0, one.word, (one.t0, one.token) in counted, one.raw, one.rule) for one in words)
        yield TurnView(words[0].t0, words[-1].t1, voices.get(owner) if owner else None, shown)


def _numbered(said: SaidPart) -> Iterator[tuple[uuid.UUID | None, int, SpokenWord]]:
    """Each word with the number of its turn: a turn ends with a pause, and when it gets too long to be read."""
    turn, length, ends = 0, 0, 0.0
    for owner, word in zip(said.owners, said.words, strict=True):
        if length >= _MOST_WORDS or word.t0 - ends > _PAUSE:
            turn, length = turn + 1, 0
        length, ends = length + 1, word.t1
        yield owner, turn, word


def _gaps_within(said: SaidPart, gaps: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Those that begin in this part; the first and the last part reach to the ends of the talk."""
    if not said.words:
        return list(gaps)
    begins = said.words[0].t0 if said.first else 0.0
    ends = said.words[-1].t1 if said.first + len(said.words) < said.total else float("inf")
    return [gap for gap in gaps if begins <= gap[0] < ends]
