"""What stands after the colon of each field."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from windmill.kernels.indexing.colour_names import COLOURS
from windmill.kernels.query.tokens import QueryInvalid, Token
from windmill.kernels.query.tree import (
    CameraTerm,
    ColourTerm,
    CountTerm,
    GroupTerm,
    IdTerm,
    LabelTerm,
    Leaf,
    NsfwTerm,
    SizeTerm,
    Span,
    TakenTerm,
    TextTerm,
)
from windmill.kernels.text.folding import fold
from windmill.kernels.text.labels import normalise_label

MOST = 2**31 - 1
MOST_ID = 2**63 - 2
LIKELY = 500
SHORTEST_SUBSTRING = 3
LONGEST_TEXT = 200
"""Letters of one condition; PostgreSQL takes no word of some thousand bytes."""
_OTHER_COLOURS = {"gray": "grey", "violet": "purple", "magenta": "pink", "cyan": "blue", "gold": "yellow"}
_DATE = re.compile(r"(\d{4})(?:-(\d\d?)(?:-(\d\d?))?)?")
_SIDES = re.compile(r"(\d{1,9})x(\d{1,9})")


def leaf_of(token: Token) -> Leaf:
    """The condition of a token with a field; raises QueryInvalid."""
    reader = FIELDS.get(token.field)
    if reader is None:
        raise QueryInvalid(f"there is no field {token.field!r:.60}; there are {', '.join(FIELDS)}", token.place)
    if not token.value.strip():
        raise QueryInvalid(f"{token.field}: has no value", token.place)
    if token.star and token.field not in ("label", "text"):
        raise QueryInvalid("a star is for labels and text", token.place)
    if token.least and token.field != "label":
        raise QueryInvalid("@ is for labels, as in label:dog@0.8", token.place)
    return reader(token)


def _label(token: Token) -> Leaf:
    _plain(token)
    least = _thousandths(token, token.least) if token.least else 0
    return label_of_token(token, least)


def label_of_token(token: Token, least: int) -> LabelTerm:
    """A label in any spelling; the beginning of one as it is."""
    folded = _word(token, fold(token.value).replace("_", " "))
    return LabelTerm(folded if token.star else normalise_label(folded) or folded, token.star, least)


def _word(token: Token, folded: str) -> str:
    if not folded:
        raise QueryInvalid(f"{token.value!r:.60} is no word", token.place)
    return folded


def text_of_token(token: Token) -> TextTerm:
    """Words in captions and in the picture itself."""
    folded = _word(token, fold(token.value))
    if len(folded) > LONGEST_TEXT:
        raise QueryInvalid(f"text has at most {LONGEST_TEXT} letters", token.place)
    if token.operator == "~":
        if len(folded) < SHORTEST_SUBSTRING:
            raise QueryInvalid(f"a part of a word has at least {SHORTEST_SUBSTRING} letters", token.place)
        return TextTerm(folded, "substring")
    _plain(token)
    if not any(one.isalnum() for one in folded):
        raise QueryInvalid(f"{token.value!r:.60} has no letter and no digit", token.place)
    return TextTerm(folded, "prefix" if token.star else "words")


def _plain(token: Token) -> None:
    if token.operator:
        raise QueryInvalid(f"{token.operator} is not for {token.field or 'words'}", token.place)


def _persons(token: Token) -> Leaf:
    return CountTerm("persons", _span(token, _number))


def _faces(token: Token) -> Leaf:
    return CountTerm("faces", _span(token, _number))


def _colour(token: Token) -> Leaf:
    _plain(token)
    name = fold(token.value)
    name = _OTHER_COLOURS.get(name, name)
    if name not in COLOURS:
        raise QueryInvalid(f"{name!r:.60} is no colour here; there are {', '.join(COLOURS)}", token.place)
    return ColourTerm(name)


def _camera(token: Token) -> Leaf:
    _plain(token)
    return CameraTerm(_word(token, fold(token.value)))


def _group(token: Token) -> Leaf:
    _plain(token)
    if "\0" in token.value:
        raise QueryInvalid("the name of a group has no such character", token.place)
    return GroupTerm(token.value)


def _ids(token: Token) -> Leaf:
    return IdTerm(_span(token, lambda one, text: _number(one, text, MOST_ID)))


def _number(token: Token, text: str, most: int = MOST) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:20]) <= most):
        raise QueryInvalid(f"{text!r:.60} is no whole number, as in {token.field}:2 or {token.field}:>=3", token.place)
    return int(text)


def _thousandths(token: Token, text: str) -> int:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise QueryInvalid(f"{text!r:.60} is no probability from 0 to 1", token.place)
    return round(1000 * value)


def _span(token: Token, read: Callable[[Token, str], int]) -> Span:
    """`2`, `>=3`, `1..4`, `2..` or `..4`."""
    low, dots, high = token.value.partition("..")
    if dots and not token.operator:
        if not low and not high:
            raise QueryInvalid(f"{token.value!r} has neither a beginning nor an end", token.place)
        return Span(read(token, low) if low else None, read(token, high) if high else None)
    value = read(token, token.value)
    spans = {">=": Span(value), "<=": Span(None, value), ">": Span(value + 1), "<": Span(None, value - 1)}
    if token.operator == "~":
        raise QueryInvalid(f"~ is for text, as in text:~{token.value}", token.place)
    return spans.get(token.operator, Span(value, value))


def _nsfw(token: Token) -> Leaf:
    word = token.value.lower()
    if word in ("yes", "no") and not token.operator:
        return NsfwTerm(Span(LIKELY) if word == "yes" else Span(None, LIKELY - 1))
    return NsfwTerm(_span(token, _thousandths))


def _size(token: Token) -> Leaf:
    match = _SIDES.fullmatch(token.value)
    if not match or token.operator == "~":
        raise QueryInvalid(f"{token.value!r:.60} is no size, as in size:>=1000x800", token.place)
    width, height = (_span(replace(token, value=side), _number) for side in match.groups())
    return SizeTerm(width, height)


def _taken(token: Token) -> Leaf:
    """`2024`, `2024-05`, `2024-05-17`, `>=2024-05` or `2024-05..2024-07`, whose last month is within."""
    low, dots, high = token.value.partition("..")
    if dots and not token.operator and (low or high):
        return TakenTerm(_period(token, low)[0] if low else None, _period(token, high)[1] if high else None)
    first, after = _period(token, token.value)
    spans = {">=": (first, None), ">": (after, None), "<": (None, first), "<=": (None, after), "": (first, after)}
    if token.operator not in spans:
        raise QueryInvalid(f"{token.operator} is not for times", token.place)
    return TakenTerm(*spans[token.operator])


def _period(token: Token, text: str) -> tuple[datetime, datetime]:
    """From when on and before when."""
    match = _DATE.fullmatch(text)
    try:
        assert match
        year, month, day = (int(one) if one else None for one in match.groups())
        assert year
        first = datetime(year, month or 1, day or 1, tzinfo=UTC)
        if day:
            return first, first + timedelta(days=1)
        if month:
            return first, datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        return first, datetime(year + 1, 1, 1, tzinfo=UTC)
    except (AssertionError, ValueError, OverflowError):
        raise QueryInvalid(f"{text!r:.60} is no year, month or day, as in taken:2024-05", token.place) from None


FIELDS: Mapping[str, Callable[[Token], Leaf]] = {
    "label": _label,
    "text": text_of_token,
    "persons": _persons,
    "faces": _faces,
    "colour": _colour,
    "color": _colour,
    "taken": _taken,
    "group": _group,
    "camera": _camera,
    "nsfw": _nsfw,
    "size": _size,
    "id": _ids,
}
"""What reads the value of each field."""
