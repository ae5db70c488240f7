"""The order in which people count: frame_9 comes before frame_10."""

import re

_DIGITS = re.compile(r"(\d+)")


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sorts names by the numbers in them."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in _DIGITS.split(name)]
