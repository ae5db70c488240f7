"""A query as tokens, each with its place in the text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

TokenKind = Literal["open", "close", "or", "not", "and", "term"]
MOST_CHARACTERS = 2_000
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<open>\()|(?P<close>\))
        |(?P<or>\||OR(?![^\s()]))|(?P<and>AND(?![^\s()]))|(?P<not>-(?=[^\s)])|NOT(?![^\s()]))
        |(?:(?P<field>[A-Za-z_]+):)?(?P<operator>>=|<=|>|<|~)?
        (?:"(?P<quoted>[^"]*)"(?P<star>\*)?|(?P<bare>[^\s()"|@*]+)(?P<open_star>\*)?)
        (?:@(?P<least>[\d.]+))?(?![^\s()|])
    )""",
    re.VERBOSE,
)


class QueryInvalid(ValueError):
    """A query that cannot be understood: what is wrong, and from which character on."""

    def __init__(self, said: str, place: int) -> None:
        super().__init__(said)
        self.said, self.place = said, place


@dataclass(frozen=True)
class Token:
    """A sign, or a condition: a value, perhaps of a field, with an operator before it, and after it a star for what
    begins so, or how likely it has to be at least."""

    kind: TokenKind
    place: int
    field: str = ""
    operator: str = ""
    value: str = ""
    star: bool = False
    least: str = ""


def tokenise(text: str) -> Iterator[Token]:
    """All tokens in order; raises QueryInvalid."""
    if len(text) > MOST_CHARACTERS:
        raise QueryInvalid(f"a query has at most {MOST_CHARACTERS:,} characters", MOST_CHARACTERS)
    place = 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if not match or match.end() == place:
            raise _unreadable(text, place)
        yield _token(match)
        place = match.end()


def _token(match: re.Match[str]) -> Token:
    start = match.end() - len(match[0].lstrip())
    for kind in ("open", "close", "or", "and", "not"):
        if match[kind]:
            return Token(kind, start)
    quoted = match["quoted"]
    return Token(
        kind="term",
        place=start,
        field=(match["field"] or "").lower(),
        operator=match["operator"] or "",
        value=match["bare"] if quoted is None else quoted,
        star=bool(match["star"] or match["open_star"]),
        least=match["least"] or "",
    )


def _unreadable(text: str, place: int) -> QueryInvalid:
    start = len(text) - len(text[place:].lstrip())
    if text.count('"', start) % 2:
        return QueryInvalid("a quotation mark is not closed, or stands within a word", text.rindex('"'))
    word = text[start:].split()[0]
    said = f"{word!r:.60} cannot be read: a value follows the colon of a field, a star ends a word, @0.8 a label"
    return QueryInvalid(f"{said}; put anything else into quotation marks", start)
