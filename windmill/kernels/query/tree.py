"""A query after it was read: conditions, and how they go together."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

CountField = Literal["persons", "faces"]
TextForm = Literal["words", "prefix", "substring"]


@dataclass(frozen=True)
class Span:
    """Whole numbers from `low` to `high`, both included; None has no end."""

    low: int | None = None
    high: int | None = None

    def holds(self, value: int | None) -> bool:
        """Whether a value is known and within."""
        if value is None:
            return False
        return (self.low is None or self.low <= value) and (self.high is None or value <= self.high)


@dataclass(frozen=True)
class LabelTerm:
    """The image has this label, or with `prefix` one that begins so, and with at least so many thousandths."""

    label: str
    prefix: bool = False
    least: int = 0


@dataclass(frozen=True)
class TextTerm:
    """Captions or words in the picture contain these words one after the other; with `prefix` the last may go on."""

    text: str
    form: TextForm = "words"


@dataclass(frozen=True)
class CountTerm:
    field: CountField
    span: Span


@dataclass(frozen=True)
class ColourTerm:
    colour: str


@dataclass(frozen=True)
class CameraTerm:
    """All cameras whose name contains this."""

    camera: str


@dataclass(frozen=True)
class GroupTerm:
    group: str


@dataclass(frozen=True)
class TakenTerm:
    """Taken from `since` on and before `until`."""

    since: datetime | None
    until: datetime | None


@dataclass(frozen=True)
class NsfwTerm:
    """In thousandths."""

    span: Span


@dataclass(frozen=True)
class SizeTerm:
    """Width and height, each within its span."""

    width: Span
    height: Span


@dataclass(frozen=True)
class IdTerm:
    span: Span


Leaf: TypeAlias = (
    LabelTerm | TextTerm | CountTerm | ColourTerm | CameraTerm | GroupTerm | TakenTerm | NsfwTerm | SizeTerm | IdTerm
)


@dataclass(frozen=True)
class And:
    """All parts hold; without parts it always does."""

    parts: tuple["Query", ...] = ()


@dataclass(frozen=True)
class Or:
    parts: tuple["Query", ...]


@dataclass(frozen=True)
class Not:
    part: "Query"


Query: TypeAlias = And | Or | Not | Leaf
EVERYTHING = And()


def leaves(query: Query) -> Iterator[Leaf]:
    """All conditions, wherever they stand."""
    match query:
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part):
            yield from leaves(part)
        case _:
            yield query


def conjuncts(query: Query) -> tuple[Query, ...]:
    """What has to hold at once; a query that is no conjunction is the only one."""
    if not isinstance(query, And):
        return (query,)
    return tuple(one for part in query.parts for one in conjuncts(part))
