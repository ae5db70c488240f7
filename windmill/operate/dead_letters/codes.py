"""Error codes as people name them."""

import difflib
from collections.abc import Iterable

from windmill.core.errors import ERROR_CODES, WindmillError


def checked_codes(named: Iterable[str]) -> frozenset[str]:
    """The codes; raises USAGE for what is none, or if none is named."""
    names = [part.strip().upper() for part in named if part.strip()]
    for name in names:
        if name not in ERROR_CODES:
            nearest = difflib.get_close_matches(name, ERROR_CODES, n=1)
            hint = f"; did you mean {nearest[0]}?" if nearest else f"; known: {', '.join(ERROR_CODES)}"
            raise WindmillError("USAGE", f"{name!r} is not an error code{hint}")
    if not names:
        raise WindmillError("USAGE", "no code is named")
    return frozenset(names)
