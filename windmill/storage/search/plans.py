"""How a query is carried out. Pure.

A frequent condition is found soon by walking back from the newest image; a rare one is found by its index. Which it is,
the counts of the dictionary say. Where they say nothing, as of text, a short walk shows it.
"""

from dataclasses import dataclass
from typing import Literal

from windmill.kernels.indexing.search_row import LEAST_PROBABILITY
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
    leaves,
)
from windmill.storage.search.terms import KnownTerms, is_rare

PlanKind = Literal["nothing", "rare", "walk", "candidates"]

SHORT_WALK, LONG_WALK = 4_000, 20_000
"""Rows that are looked at: to see whether hits are frequent, and at most for one page."""
MOST_CANDIDATES = 20_000
MOST_COUNTED = 10_000
"""No further is counted: people are told `10,000+`."""
_NOTHING = (
    "no image has a label, colour, camera or time that is asked for; labels are of the merged boxes and the vote, from "
    f"a probability of {LEAST_PROBABILITY:g} on, however sure one service was"
)
NO_BOUNDS = Span()


@dataclass(frozen=True)
class SearchPlan:
    """`has_index`: an index finds the candidates. `group`: only the images of a group are walked through. `ids` is the
    span in which all hits are. `images`: there are at most so many hits, where they are rare."""

    kind: PlanKind
    reason: str
    has_index: bool = False
    group: str | None = None
    ids: Span = NO_BOUNDS
    images: int | None = None


def plan_of(query: Query, known: KnownTerms, *, substrings: bool) -> SearchPlan:
    """`substrings`: an index finds parts of words."""
    images = estimate(query, known)
    has_index, group, ids = is_indexed(query, known, substrings=substrings), _group(query), _ids(query)
    if images == 0:
        return SearchPlan("nothing", _NOTHING)
    if images is not None and has_index and is_rare(images, known.images):
        said = f"at most {images:,} of {known.images:,} images have the rarest condition: its index finds them"
        return SearchPlan("rare", said, has_index, None, ids, images)
    said = "no index finds the hits" if not has_index else "hits may be frequent"
    return SearchPlan("walk", f"{said}: from the newest image backwards", has_index, group, ids)


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
        case TakenTerm():
            return known.taken.get(query)
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


def has_substring(query: Query) -> bool:
    return any(isinstance(one, TextTerm) and one.form == "substring" for one in leaves(query))


def is_everything(query: Query) -> bool:
    return query == And()
