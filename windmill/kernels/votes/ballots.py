"""Parses the replies of services, from any JSON, into ballots: one per service and emoji."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from windmill.kernels.text.labels import normalise_label
from windmill.kernels.votes.emojis import group_of

_MAX_PREDICTIONS = 1000
"""The maximum number of predictions per service, and of words per caption."""
_MAX_WORD_LENGTH = 80
_UNSURE, _SURE = 0.01, 0.99
"""Confidences are clamped to this range, because some services are overconfident."""


class EmojiMention(NamedTuple):
    """One emoji in one prediction."""

    emoji: str
    spelt: str
    word: str
    confidence: float | None
    shiny: bool


@dataclass(frozen=True)
class Ballot:
    """The votes of one service for one emoji: the word with the highest confidence, and the spellings of the emoji.

    `behind` is how far, in log-odds, this confidence is below the highest that the service has in this image. It means
    the same for services that state their confidences on different scales.
    """

    confidence: float | None
    word: str
    spellings: Mapping[str, int]
    shiny: bool = False
    count: int = 1
    behind: float = 0.0


def ballots(reply: object, labels: Mapping[str, str]) -> dict[str, Ballot]:
    """The ballots in a stored reply by emoji; `labels` maps labels without an emoji to one."""
    said: dict[str, list[EmojiMention]] = {}
    for prediction in predictions_of(reply):
        for saying in _sayings(prediction, labels):
            said.setdefault(saying.emoji, []).append(saying)
    return _compared({emoji: _ballot(sayings) for emoji, sayings in said.items()})


def predictions_of(reply: object) -> Iterator[Mapping[str, Any]]:
    """The readable predictions; some services list those of the whole image under another key."""
    document = reply if isinstance(reply, dict) else {}
    for key in ("predictions", "full_image"):
        predictions = document.get(key)
        if isinstance(predictions, list):
            yield from (one for one in islice(predictions, _MAX_PREDICTIONS) if isinstance(one, dict))


def confidence_of(value: object) -> float | None:
    """A confidence from 0 to 1, or None if it is invalid."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        return None
    return float(value)


def sureness(confidence: float | None) -> float:
    """The sort key of confidences; a missing one is neutral."""
    return 0.5 if confidence is None else confidence


def surest(confidences: Iterable[float | None]) -> float | None:
    """The highest confidence; a missing one counts as neutral."""
    return max(confidences, key=lambda one: (sureness(one), one is not None), default=None)


def logit(confidence: float | None) -> float:
    """Log-odds of a confidence; 0 for a missing one."""
    if confidence is None:
        return 0.0
    bounded = min(max(confidence, _UNSURE), _SURE)
    return math.log(bounded / (1 - bounded))


def text_of(value: object, longest: int = _MAX_WORD_LENGTH) -> str:
    """Storable text in one line, at most this long."""
    if not isinstance(value, str):
        return ""
    return _short_line(value, longest) if len(value) <= _MAX_WORD_LENGTH else _line(value, longest)


def _line(text: str, longest: int) -> str:
    return " ".join(text[: 2 * longest].encode("utf-8", "replace").decode().split())[:longest]


_short_line = lru_cache(maxsize=4096)(_line)
"""Labels and words come again and again."""


def _compared(said: dict[str, Ballot]) -> dict[str, Ballot]:
    """Each with its distance to the surest of them."""
    highest = max((logit(ballot.confidence) for ballot in said.values()), default=0.0)
    return {emoji: replace(ballot, behind=highest - logit(ballot.confidence)) for emoji, ballot in said.items()}


def _ballot(sayings: list[EmojiMention]) -> Ballot:
    best = min(sayings, key=lambda saying: (-sureness(saying.confidence), saying.confidence is None, saying.word))
    spellings = Counter(saying.spelt for saying in sayings)
    return Ballot(best.confidence, best.word, spellings, any(saying.shiny for saying in sayings), len(sayings))


def _sayings(prediction: Mapping[str, Any], labels: Mapping[str, str]) -> Iterator[EmojiMention]:
    """The words of a caption, and the emoji of the prediction or else of its label."""
    confidence = confidence_of(prediction.get("confidence"))
    shiny = prediction.get("shiny") is True
    for word, spelt, shines in _mapped(prediction):
        if (emoji := group_of(spelt)) is not None:
            yield EmojiMention(emoji, str(spelt).strip(), text_of(word), confidence, shiny or shines)
    if prediction.get("type") == "color_analysis":
        return
    word = text_of(prediction.get("label"))
    for spelt in (prediction.get("emoji"), labels.get(normalise_label(word))):
        if (emoji := group_of(spelt)) is not None:
            yield EmojiMention(emoji, str(spelt).strip(), word, confidence, shiny)
            return


def _mapped(prediction: Mapping[str, Any]) -> Iterator[tuple[object, object, bool]]:
    """Words with their emojis, in all formats that captioners have used."""
    older = prediction.get("properties")
    for holder in (prediction, older) if isinstance(older, dict) else (prediction,):
        for key in ("emoji_mappings", "word_mappings"):
            if mappings := holder.get(key):
                yield from islice(_pairs(mappings), _MAX_PREDICTIONS)


def _pairs(mappings: object) -> Iterator[tuple[object, object, bool]]:
    if isinstance(mappings, dict):
        for word, emoji in mappings.items():
            yield word, emoji, False
    for entry in mappings if isinstance(mappings, list) else ():
        if isinstance(entry, dict):
            yield entry.get("word"), entry.get("emoji"), entry.get("shiny") is True
