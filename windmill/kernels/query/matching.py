"""Whether an image is a hit, and why: what of a query its search row fulfils."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from windmill.kernels.indexing.search_row import SearchRow
from windmill.kernels.query.tree import (
    And,
    CameraTerm,
    ColourTerm,
    CountTerm,
    GroupTerm,
    IdTerm,
    LabelTerm,
    Leaf,
    Not,
    NsfwTerm,
    Or,
    Query,
    SizeTerm,
    Span,
    TakenTerm,
    TextTerm,
)

_WORDS = re.compile(r"\w+")


@dataclass(frozen=True)
class SearchedImage:
    """What a query is about."""

    image_id: int
    row: SearchRow
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Reason:
    """A condition that holds, in words; labels with their probability."""

    field: str
    value: str
    probability: float | None = None


def holds(query: Query, image: SearchedImage) -> bool:
    """As the database decides it; what is unknown is no hit."""
    match query:
        case And(parts):
            return all(holds(part, image) for part in parts)
        case Or(parts):
            return any(holds(part, image) for part in parts)
        case Not(part):
            return not holds(part, image)
        case _:
            return next(_reasons_of(query, image), None) is not None


def reasons(query: Query, image: SearchedImage) -> list[Reason]:
    """The conditions that hold, each once. What has to be absent gives no reason."""
    return list(dict.fromkeys(_reasons(query, image)))


def _reasons(query: Query, image: SearchedImage) -> Iterator[Reason]:
    match query:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _reasons(part, image)
        case Not():
            return
        case _:
            yield from _reasons_of(query, image)


def _reasons_of(leaf: Leaf, image: SearchedImage) -> Iterator[Reason]:  # noqa: C901 - one case for each kind
    row = image.row
    match leaf:
        case LabelTerm():
            yield from _labels(leaf, row)
        case ColourTerm(colour):
            yield from (Reason("colour", colour) for one in row.colours if one == colour)
        case CameraTerm(camera):
            yield from (Reason("camera", one) for one in (row.camera,) if one and camera in one)
        case TextTerm():
            yield from (Reason("text", leaf.text) for _ in range(_has_text(leaf, row.text)))
        case CountTerm(field, span):
            yield from _number(field, getattr(row, field), span)
        case NsfwTerm(span):
            yield from (Reason("nsfw", f"{(row.nsfw or 0) / 1000:g}") for _ in range(span.holds(row.nsfw)))
        case IdTerm(span):
            yield from _number("id", image.image_id, span)
        case SizeTerm(width, height):
            fits = width.holds(row.width) and height.holds(row.height)
            yield from (Reason("size", f"{row.width}x{row.height}") for _ in range(fits))
        case TakenTerm(since, until):
            within = row.taken and (not since or row.taken >= since) and (not until or row.taken < until)
            yield from (Reason("taken", f"{one:%Y-%m-%d}") for one in (row.taken,) if one and within)
        case GroupTerm(group):
            yield from (Reason("group", group) for one in image.groups if one == group)


def _labels(leaf: LabelTerm, row: SearchRow) -> Iterator[Reason]:
    for label, chance in row.labels.items():
        named = label.startswith(leaf.label) if leaf.prefix else label == leaf.label
        if named and chance >= leaf.least:
            yield Reason("label", label, chance / 1000)


def _number(field: str, value: int | None, span: Span) -> Iterator[Reason]:
    if span.holds(value):
        yield Reason(field, str(value))


def _has_text(leaf: TextTerm, text: str) -> bool:
    if leaf.form == "substring":
        return leaf.text in text
    sought, words = _WORDS.findall(leaf.text), _WORDS.findall(text)
    return any(_follow(words[place : place + len(sought)], sought, leaf) for place in range(len(words)))


def _follow(words: Sequence[str], sought: Sequence[str], leaf: TextTerm) -> bool:
    """Whether these are the words, one after the other."""
    if len(words) < len(sought) or list(words[:-1]) != list(sought[:-1]):
        return False
    return words[-1].startswith(sought[-1]) if leaf.form == "prefix" else words[-1] == sought[-1]
