"""The words in an answer of a recogniser, whichever of the known shapes it has. What recognisers invent over silence
and noise is left out: loops, and what they say themselves is no speech."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from windmill.kernels.audio.spans import Span

_NO_SPEECH, _UNSURE = 0.6, -1.0
_MOST_LOOP = 8
_LOOPS, _SINGLE_LOOPS = 3, 6
_SPEAKER_MARK = re.compile(r"<\s*speaker\s*\d+\s*>\s*:?", re.IGNORECASE)
_SHOUTED = re.compile(r"!?\(([^()]*)\)!?")
_FILLER = re.compile(r"(err|uh|um)", re.IGNORECASE)
_WORD = re.compile(r"\w")


@dataclass(frozen=True)
class HeardWord:
    """A word, when it was said, and how sure its recogniser is, if it tells."""

    t0: float
    t1: float
    word: str
    confidence: float | None = None
    alternatives: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        sure = None if self.confidence is None else round(self.confidence, 3)
        times = {"t0": round(self.t0, 3), "t1": round(self.t1, 3)}
        return {**times, "word": self.word, "confidence": sure, "alternatives": list(self.alternatives)}


class NotHeard(Exception):
    """An answer of no shape that is known."""


def word_of(document: Mapping[str, Any]) -> HeardWord:
    """What `document` has written."""
    others = tuple(document.get("alternatives", ()))
    return HeardWord(document["t0"], document["t1"], document["word"], document.get("confidence"), others)


def words_of_answer(document: object, seconds: float) -> list[HeardWord]:
    """The words of a stretch that is so long; times are within it."""
    if not isinstance(document, dict):
        raise NotHeard("it is no object")
    found = _read(document, seconds)
    if found is None:
        raise NotHeard("it has no words, no segments, no text and no raw_transcription")
    return without_loops([_within(word, seconds) for word in found if _WORD.search(word.word)])


def _read(document: Mapping[str, Any], seconds: float) -> list[HeardWord] | None:
    segments, words = document.get("segments"), document.get("words")
    if isinstance(words, list):
        return [_timed(one) for one in words]
    if isinstance(segments, list):
        spoken = [one for one in segments if isinstance(one, dict) and not _is_invented(one)]
        return [word for one in spoken for word in _of_segment(one)]
    text = document.get("raw_transcription", document.get("text"))
    return spread(cleaned(text), (0.0, seconds)) if isinstance(text, str) else None


def _of_segment(segment: Mapping[str, Any]) -> list[HeardWord]:
    if isinstance(segment.get("words"), list):
        return [_timed(one) for one in segment["words"]]
    span = _number(segment.get("start")), _number(segment.get("end"))
    return spread(cleaned(str(segment.get("text", ""))), span)


def _is_invented(segment: Mapping[str, Any]) -> bool:
    silent, sure = segment.get("no_speech_prob"), segment.get("avg_logprob")
    return isinstance(silent, float) and isinstance(sure, float) and silent > _NO_SPEECH and sure < _UNSURE


def _timed(one: object) -> HeardWord:
    if not isinstance(one, dict) or not isinstance(one.get("word"), str):
        raise NotHeard("one of its words has no text")
    sure = one.get("probability", one.get("confidence"))
    confidence = float(sure) if isinstance(sure, int | float) else None
    others = tuple(str(each) for each in one.get("alternatives") or ())
    return HeardWord(_number(one.get("start")), _number(one.get("end")), one["word"].strip(), confidence, others)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotHeard(f"{value!r:.40} is no time")
    return float(value)


def _within(word: HeardWord, seconds: float) -> HeardWord:
    start = min(max(word.t0, 0.0), seconds)
    return replace(word, t0=start, t1=min(max(word.t1, start), seconds))


def cleaned(text: str) -> list[str]:
    """The words of a plain text without marks of speakers, brackets and sounds that mean nothing."""
    plain = _SHOUTED.sub(r" \1 ", _SPEAKER_MARK.sub(" ", text))
    words = [word for word in plain.split() if _WORD.search(word)]
    return [word for word in words if not _FILLER.fullmatch(word.strip(".,!?;:"))]


def spread(words: Sequence[str], span: Span) -> list[HeardWord]:
    """Words of which only the stretch is known, each with a share of it by its length."""
    sizes = [len(word) + 1 for word in words]
    scale = (span[1] - span[0]) / sum(sizes) if sizes else 0.0
    marks = [span[0]]
    for size in sizes:
        marks.append(marks[-1] + size * scale)
    return [HeardWord(start, end, word) for word, (start, end) in zip(words, pairwise(marks), strict=True)]


def without_loops(words: Sequence[HeardWord]) -> list[HeardWord]:
    """A recogniser that is caught in a loop says the same again and again: one time is left. People say a single word
    a few times, but not a phrase three times without a breath."""
    kept: list[HeardWord] = []
    plain = [word.word.lower().strip(".,!?;:") for word in words]
    place = 0
    while place < len(words):
        size, count = _loop_at(plain, place)
        kept += words[place : place + size]
        place += size * count
    return kept


def _loop_at(plain: Sequence[str], place: int) -> tuple[int, int]:
    """The size of what is repeated from here on, and how often it is there; 1, 1 if it is no loop."""
    for size in range(1, _MOST_LOOP + 1):
        count, part = 1, plain[place : place + size]
        while plain[place + count * size : place + (count + 1) * size] == part:
            count += 1
        if count >= (_SINGLE_LOOPS if size == 1 else _LOOPS):
            return size, count
    return 1, 1
