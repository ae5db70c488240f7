"""A query as text again: every condition with its field, so that people see how it was understood."""

import re
from datetime import datetime, timedelta

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

_PLAIN = re.compile(r"\w[\w.'-]*")


def render_query(query: Query) -> str:
    """Reading it again gives the same tree; everything is an empty text."""
    match query:
        case And(parts):
            return " ".join(_within(part, And) for part in parts)
        case Or(parts):
            return " OR ".join(_within(part, Or) for part in parts)
        case Not(part):
            return f"-{_within(part, Not)}"
        case _:
            return _leaf(query)


def _within(part: Query, outer: type) -> str:
    text = render_query(part)
    loose = isinstance(part, And | Or) and not (isinstance(part, And) and outer is Or)
    return f"({text})" if loose else text


def _leaf(leaf: Leaf) -> str:  # noqa: C901 - one case for each kind of condition
    match leaf:
        case LabelTerm(label, prefix, least):
            return f"label:{_word(label)}{'*' if prefix else ''}{f'@{least / 1000:g}' if least else ''}"
        case TextTerm(text, form):
            return f"text:{'~' if form == 'substring' else ''}{_word(text)}{'*' if form == 'prefix' else ''}"
        case CountTerm(field, span):
            return f"{field}:{_span(span)}"
        case ColourTerm(colour):
            return f"colour:{colour}"
        case CameraTerm(camera):
            return f"camera:{_word(camera)}"
        case GroupTerm(group):
            return f"group:{_word(group)}"
        case TakenTerm(since, until):
            return f"taken:{_day(since)}..{_day(until and until - timedelta(days=1))}"
        case NsfwTerm(Span(low, high)):
            return f"nsfw:{_share(low)}..{_share(high)}"
        case SizeTerm(width, height):
            return f"size:{_sides(width, height)}"
        case IdTerm(span):
            return f"id:{_span(span)}"


def _word(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else f'"{text}"'


def _span(span: Span) -> str:
    if span.low is not None and span.low == span.high:
        return str(span.low)
    return f"{'' if span.low is None else span.low}..{'' if span.high is None else span.high}"


def _share(thousandths: int | None) -> str:
    return "" if thousandths is None else f"{thousandths / 1000:g}"


def _day(time: datetime | None) -> str:
    return "" if time is None else f"{time:%Y-%m-%d}"


def _sides(width: Span, height: Span) -> str:
    if width.low == width.high:
        return f"{width.low}x{height.low}"
    return f"<={width.high}x{height.high}" if width.low is None else f">={width.low}x{height.low}"
