"""Ranges of image ids, one for each partition of a table: which come next."""

from typing import NamedTuple


class Range(NamedTuple):
    """From `low` up to but not including `high`."""

    low: int
    high: int


def first_bound(greatest: int, size: int) -> int:
    """Where the first partition ends that holds all there is up to `greatest`, with room for half a partition more."""
    return ((greatest + size // 2) // size + 1) * size


def ahead(end: int, greatest: int, size: int, number: int) -> list[Range]:
    """The partitions to make after `end`, so that `number` of them are ready beyond the one that holds `greatest`."""
    return [Range(low, low + size) for low in range(end, greatest + number * size + 1, size)]
