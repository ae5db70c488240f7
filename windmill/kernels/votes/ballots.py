"""What each service said of an image, out of any JSON, as one ballot for each emoji that it named."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from windmill.kernels.text.labels import normalised
from windmill.kernels.votes.emojis import group_of

_MOST_PREDICTIONS = 1000
"""Predictions of one service, or words of one caption, that are looked at."""
_LONGEST_WORD = 80


class Saying(NamedTuple):
    """One emoji in one prediction."""

    emoji: str
    spelt: str
    word: str
    confidence: float | None
    shiny: bool


@dataclass(frozen=True)
class Ballot:
    """All that one service said in favour of one emoji: its surest word, and how it spelt the emoji."""

    confidence: float | None
    word: str
    spellings: Mapping[str, int]
    shiny: bool = False
    count: int = 1


def ballots(reply: object, labels: Mapping[str, str]) -> dict[str, Ballot]:
    """The ballots in a stored reply by emoji; `labels` gives the emoji of a label that came without one."""
    said: dict[str, list[Saying]] = {}
    for prediction in predictions_of(reply):
        for saying in _sayings(prediction, labels):
            said.setdefault(saying.emoji, []).append(saying)
    return {emoji: _ballot(sayings) for emoji, sayings in said.items()}


def predictions_of(reply: object) -> Iterator[Mapping[str, Any]]:
    """The predictions that can be read; some services put those of the whole image beside the others."""
    document = reply if isinstance(reply, Mapping) else {}
    for key in ("predictions", "full_image"):
        predictions = document.get(key)
        for prediction in islice(predictions, _MOST_PREDICTIONS) if isinstance(predictions, list) else ():
            if isinstance(prediction, Mapping):
                yield prediction


def confidence_of(value: object) -> float | None:
    """A confidence from 0 to 1; what is none says nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        return None
    return float(value)


def sureness(confidence: float | None) -> float:
    """By which confidences are ranked; one that is not stated is neither high nor low."""
    return 0.5 if confidence is None else confidence


def surest(confidences: Iterable[float | None]) -> float | None:
    """The highest, which may be one that is not stated."""
    return max(confidences, key=lambda one: (sureness(one), one is not None), default=None)


def text_of(value: object, longest: int = _LONGEST_WORD) -> str:
    """A text that can be stored, in one line and not longer than this."""
    if not isinstance(value, str):
        return ""
    return " ".join(value[: 2 * longest].encode("utf-8", "replace").decode().split())[:longest]


def _ballot(sayings: list[Saying]) -> Ballot:
    best = min(sayings, key=lambda saying: (-sureness(saying.confidence), saying.confidence is None, saying.word))
    spellings = Counter(saying.spelt for saying in sayings)
    return Ballot(best.confidence, best.word, spellings, any(saying.shiny for saying in sayings), len(sayings))


def _sayings(prediction: Mapping[str, Any], labels: Mapping[str, str]) -> Iterator[Saying]:
    """The words of a caption, and the emoji of the prediction itself or else that of its label."""
    confidence = confidence_of(prediction.get("confidence"))
    shiny = prediction.get("shiny") is True
    for word, spelt, shines in _mapped(prediction):
        if (emoji := group_of(spelt)) is not None:
            yield Saying(emoji, str(spelt).strip(), text_of(word), confidence, shiny or shines)
    if prediction.get("type") == "color_analysis":
        return
    word = text_of(prediction.get("label"))
    for spelt in (prediction.get("emoji"), labels.get(normalised(word))):
        if (emoji := group_of(spelt)) is not None:
            yield Saying(emoji, str(spelt).strip(), word, confidence, shiny)
            return


def _mapped(prediction: Mapping[str, Any]) -> Iterator[tuple[object, object, bool]]:
    """Words with their emojis, in each of the shapes in which captioners ever wrote them."""
    older = prediction.get("properties")
    for holder in (prediction, older) if isinstance(older, Mapping) else (prediction,):
        for key in ("emoji_mappings", "word_mappings"):
            yield from islice(_pairs(holder.get(key)), _MOST_PREDICTIONS)


def _pairs(mappings: object) -> Iterator[tuple[object, object, bool]]:
    if isinstance(mappings, Mapping):
        for word, emoji in mappings.items():
            yield word, emoji, False
    for entry in mappings if isinstance(mappings, list) else ():
        if isinstance(entry, Mapping):
            yield entry.get("word"), entry.get("emoji"), entry.get("shiny") is True
