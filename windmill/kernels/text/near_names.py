"""The name that somebody meant who misspelt it."""

import difflib
from collections.abc import Collection

ALIKE = 0.6


def near_name(name: str, known: Collection[str], alike: float = ALIKE) -> str | None:
    """The one of these that is most like it, None if none is at least so much alike, of 1."""
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=alike)), None)


def did_you_mean(name: str, known: Collection[str], alike: float = ALIKE) -> str:
    """A question that goes before what else is to be said; empty where nothing is near."""
    near = near_name(name, known, alike)
    return f"did you mean {near!r}? " if near is not None else ""
