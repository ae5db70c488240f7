"""Error codes as people name them."""

from collections.abc import Iterable

from windmill.core.errors import ERROR_CODES, WindmillError
from windmill.kernels.text.near_names import did_you_mean


def checked_codes(named: Iterable[str]) -> frozenset[str]:
    """The codes; raises USAGE for what is none, or if none is named."""
    names = [part.strip().upper() for part in named if part.strip()]
    for name in names:
        if name not in ERROR_CODES:
            hint = did_you_mean(name, ERROR_CODES).rstrip() or f"known: {', '.join(ERROR_CODES)}"
            raise WindmillError("USAGE", f"{name!r} is not an error code; {hint}")
    if not names:
        raise WindmillError("USAGE", "no code is named")
    return frozenset(names)
