"""How a query is carried out. Pure.

A frequent condition is found soon by walking back from the newest image; a rare one is found by its index. Which it is,
the counts of the dictionary say. Where they say nothing, as of text, a short walk shows it.
"""

from dataclasses import dataclass
from typing import Literal

from windmill.kernels.query.tree import (
    And,
    CameraTerm,
    ColourTerm,
    GroupTerm,
    IdTerm,
    LabelTerm,
    Or,
    Query,
    Span,
    TakenTerm,
    TextTerm,
    conjuncts,
)
from windmill.storage.search.terms import KnownTerms

PlanKind = Literal["nothing", "rare", "walk", "candidates"]

SHORT_WALK, LONG_WALK = 4_000, 20_000
"""Rows that are looked at: to see whether hits are frequent, and at most for one page."""
MOST_CANDIDATES = 20_000
MOST_COUNTED = 10_000
"""No further is counted: people are told `10,000+`."""
_BALANCE = 100
NO_BOUNDS = Span()


@dataclass(frozen=True)
class SearchPlan:
    """`has_index`: an index finds the candidates. `group`: only the images of a group are walked through. `ids` is the
    span in which all hits are."""

    kind: PlanKind
    reason: str
    has_index: bool = False
    group: str | None = None
    ids: Span = NO_BOUNDS


def plan_of(query: Query, known: KnownTerms, *, substrings: bool) -> SearchPlan:
    """`substrings`: an index finds parts of words."""
    images = estimate(query, known)
    has_index, group, ids = is_indexed(query, known, substrings=substrings), _group(query), _ids(query)
    if images == 0:
        return SearchPlan("nothing", "no image has a label, colour or camera that is asked for")
    if images is not None and has_index and is_rare(images, known.images):
        said = f"at most {images:,} of {known.images:,} images have the rarest condition: its index finds them"
        return SearchPlan("rare", said, has_index, None, ids)
    said = "no index finds the hits" if not has_index else "hits may be frequent"
    return SearchPlan("walk", f"{said}: from the newest image backwards", has_index, group, ids)


def is_rare(images: int, of: int) -> bool:
    """Whether its index is cheaper than a walk: the index costs as much as it has hits, a walk as much as it skips rows
    until a page is full. At a million images this is one in a hundred."""
    return images * images <= _BALANCE * of


def estimate(query: Query, known: KnownTerms) -> int | None:
    """At most so many images can be hits; None if nothing is known."""
    match query:
        case And(parts):
            told = [one for part in parts if (one := estimate(part, known)) is not None]
            return min(told, default=None)
        case Or(parts):
            each = [estimate(part, known) for part in parts]
            return None if None in each else sum(one or 0 for one in each)
        case LabelTerm() | ColourTerm() | CameraTerm():
            return known.of[query].images if known.of[query].ids else 0
        case _:
            return None


def is_indexed(query: Query, known: KnownTerms, *, substrings: bool) -> bool:
    """Whether an index leads to all hits and not to many others."""
    match query:
        case And(parts):
            return any(is_indexed(part, known, substrings=substrings) for part in parts)
        case Or(parts):
            return all(is_indexed(part, known, substrings=substrings) for part in parts)
        case TextTerm(form="substring"):
            return substrings
        case LabelTerm() | ColourTerm() | CameraTerm() | TextTerm() | TakenTerm():
            return True
        case _:
            return False


def _group(query: Query) -> str | None:
    return next((one.group for one in conjuncts(query) if isinstance(one, GroupTerm)), None)


def _ids(query: Query) -> Span:
    spans = [one.span for one in conjuncts(query) if isinstance(one, IdTerm)]
    lows, highs = [one.low for one in spans if one.low is not None], [one.high for one in spans if one.high is not None]
    return Span(max(lows, default=None), min(highs, default=None))


def is_simple_count(query: Query) -> bool:
    """Whether the dictionary knows exactly how many hits there are."""
    return isinstance(query, LabelTerm | ColourTerm | CameraTerm) and not getattr(query, "least", 0)


def is_everything(query: Query) -> bool:
    return query == And()
