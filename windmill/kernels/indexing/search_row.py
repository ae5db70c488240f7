"""The search row of an image: a few words and numbers, out of all that services, boxes and the vote say of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from windmill.kernels.indexing.camera_facts import camera_facts
from windmill.kernels.indexing.colour_names import colours_of
from windmill.kernels.text.folding import fold
from windmill.kernels.text.labels import normalise_label
from windmill.kernels.votes.ballots import confidence_of, predictions_of

VERSION = 2
"""Increase it when the same inputs give another row, or other vectors."""
LEAST_PROBABILITY = 0.3
"""From here on a label is kept; votes and boxes have many that are less likely."""
PRESENT = 0.5
"""How sure a person or a face has to be to be counted."""
MOST_LABELS = 64
MOST_TEXT = 2_000
PERSON = "person"


@dataclass(frozen=True)
class SearchInputs:
    """What is known of an image. `boxes` is None before they were merged, `vote` empty before the vote; what
    face services said of crops of persons is None if they said nothing."""

    answers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    boxes: Sequence[Mapping[str, Any]] | None = None
    vote: Mapping[str, Any] = field(default_factory=dict)
    faces_in_crops: Sequence[Mapping[str, Any]] | None = None
    size: tuple[int, int] | None = None
    phash: int | None = None
    """Of the picture itself; else the one that a service tells."""


@dataclass(frozen=True)
class SearchRow:
    """What is kept. `labels` have their probabilities in thousandths, the likeliest first; `nsfw` likewise. None is
    unknown."""

    labels: Mapping[str, int]
    persons: int | None
    faces: int | None
    colours: tuple[str, ...]
    nsfw: int | None
    text: str
    taken: datetime | None
    camera: str | None
    phash: int | None
    width: int | None
    height: int | None


def search_row(inputs: SearchInputs) -> SearchRow:
    """The row of an image; the same inputs give the same row."""
    whole = [one for _, reply in sorted(inputs.answers.items()) for one in predictions_of(reply)]
    facts = camera_facts(whole)
    width, height = inputs.size or facts.size or (None, None)
    persons = _persons(inputs.boxes)
    return SearchRow(
        labels=_labels(inputs, whole),
        persons=persons,
        faces=_faces(whole, inputs.faces_in_crops, persons),
        colours=colours_of(whole),
        nsfw=_nsfw(whole),
        text=_text(whole),
        taken=facts.taken,
        camera=facts.camera,
        phash=facts.phash if inputs.phash is None else inputs.phash,
        width=width,
        height=height,
    )


def _labels(inputs: SearchInputs, whole: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Each with the best of its probabilities: by boxes, by the vote, and by a classifier for what has no emoji, on
    which there is no vote."""
    best: dict[str, float] = {}
    for label, chance in (*_of_boxes(inputs.boxes or ()), *_of_vote(inputs.vote), *_of_classifiers(whole)):
        if label and chance >= LEAST_PROBABILITY:
            best[label] = max(chance, best.get(label, 0.0))
    ranked = sorted(best.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_LABELS]
    return {label: round(1000 * chance) for label, chance in ranked}


def _of_boxes(boxes: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, float]]:
    for box in boxes:
        yield _storable(box.get("label")), confidence_of(box.get("confidence")) or 0.0


def _of_vote(vote: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Of each emoji the words by which services named it, and the emoji itself."""
    votes = vote.get("votes")
    groups = [votes.get(name) for name in ("consensus", "runners_up")] if isinstance(votes, dict) else []
    for item in (one for group in groups if isinstance(group, list) for one in group if isinstance(one, dict)):
        chance, said = confidence_of(item.get("probability")) or 0.0, item.get("said_yes")
        yield _storable(item.get("emoji")), chance
        for one in said if isinstance(said, list) else ():
            if isinstance(one, dict):
                yield _storable(one.get("word")), chance


def _of_classifiers(whole: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, float]]:
    for one in whole:
        if not (one.get("emoji") or one.get("bbox")):
            yield _storable(one.get("label")), confidence_of(one.get("confidence")) or 0.0


def _storable(label: object) -> str:
    """Without quotation marks, between which queries have it."""
    return normalise_label(fold(label.replace('"', " "))) if isinstance(label, str) else ""


def _persons(boxes: Sequence[Mapping[str, Any]] | None) -> int | None:
    if boxes is None:
        return None
    return sum(normalise_label(one.get("label")) == PERSON and _is_present(one) for one in boxes)


def _is_present(found: Mapping[str, Any]) -> bool:
    return (confidence_of(found.get("confidence")) or 0.0) >= PRESENT


def _faces(
    whole: Iterable[Mapping[str, Any]], crops: Sequence[Mapping[str, Any]] | None, persons: int | None
) -> int | None:
    """Those in the whole picture or in crops of persons, whichever are more; none where nobody is seen."""
    in_whole = sum(map(_is_face, whole))
    if crops is None:
        return in_whole or (0 if persons == 0 else None)
    return max(in_whole, sum(any(map(_is_face, predictions_of(one))) for one in crops))


def _is_face(prediction: Mapping[str, Any]) -> bool:
    return prediction.get("label") == "face" and _is_present(prediction)


def _nsfw(whole: Iterable[Mapping[str, Any]]) -> int | None:
    """How likely it is; a service says how sure it is of its verdict."""
    for one in whole:
        sure = confidence_of(one.get("confidence"))
        if isinstance(one.get("nsfw"), bool) and sure is not None:
            return round(1000 * (sure if one["nsfw"] else 1 - sure))
    return None


def _text(whole: Iterable[Mapping[str, Any]]) -> str:
    """Captions and words in the picture, each once."""
    said = dict.fromkeys(fold(text)[:MOST_TEXT] for one in whole for text in _texts(one) if text)
    return " | ".join(one for one in said if one)[:MOST_TEXT]


def _texts(prediction: Mapping[str, Any]) -> Iterator[str]:
    older = prediction.get("properties")
    for text in (prediction.get("text"), older.get("caption") if isinstance(older, dict) else None):
        if isinstance(text, str):
            yield text
