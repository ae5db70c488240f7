"""Words as a recogniser heard them, with their times, and as single tokens."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

TOKEN = re.compile("[^\\W_]+(?:['\u2019][^\\W_]+)*")


@dataclass(frozen=True)
class SpokenWord:
    """A word from `t0` to `t1` seconds. `alternatives` are what it may have been instead. One that a rule has made
    keeps the `rule` and what stood there, `raw`."""

    t0: float
    t1: float
    word: str
    confidence: float = 1.0
    speaker: str = ""
    alternatives: tuple[str, ...] = ()
    rule: str | None = None
    raw: str | None = None

    @property
    def token(self) -> str:
        """The word as rules know it."""
        return " ".join(tokens_of(self.word))


def tokens_of(text: str) -> list[str]:
    """Its words in small letters, without signs around them."""
    return [found.lower().replace("\u2019", "'") for found in TOKEN.findall(text)]


def spoken_word(given: Mapping[str, Any]) -> SpokenWord:
    """A word of a transcript."""
    return SpokenWord(
        t0=float(given["t0"]),
        t1=float(given["t1"]),
        word=str(given["word"]),
        confidence=float(1.0 if given.get("confidence") is None else given["confidence"]),
        speaker=str(given.get("speaker") or ""),
        alternatives=tuple(_text(one) for one in given.get("alternatives") or ()),
        rule=given.get("rule"),
        raw=given.get("raw"),
    )


def written_word(word: SpokenWord) -> dict[str, Any]:
    """The other way."""
    return {name: value for name, value in asdict(word).items() if value not in (None, ())}


def _text(alternative: object) -> str:
    return str(alternative["word"]) if isinstance(alternative, Mapping) else str(alternative)


def single_tokens(words: Sequence[SpokenWord]) -> list[SpokenWord]:
    """Each token by itself, in the order of their times: `lah-lah` is two, each with its share of the time."""
    found = [part for word in words for part in _parts(word)]
    return sorted(found, key=lambda one: (one.t0, one.t1))


def _parts(word: SpokenWord) -> Iterator[SpokenWord]:
    tokens = TOKEN.findall(word.word)
    if len(tokens) == 1 or word.rule:
        yield replace(word, word=tokens[0] if tokens else word.word)
        return
    share = (word.t1 - word.t0) / max(len(tokens), 1)
    for place, token in enumerate(tokens):
        begins = word.t0 + place * share
        yield replace(word, word=token, t0=begins, t1=begins + share, alternatives=())
