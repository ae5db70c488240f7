"""Image id ranges of table partitions: which partitions to create next."""

from typing import NamedTuple


class IdRange(NamedTuple):
    """Half-open: `low` is included, `high` is not."""

    low: int
    high: int


def first_bound(greatest: int, size: int) -> int:
    """The end of a first partition that holds all ids up to `greatest`, with half a partition to spare."""
    return ((greatest + size // 2) // size + 1) * size


def partitions_ahead(end: int, greatest: int, size: int, number: int) -> list[IdRange]:
    """The partitions to create after `end` so that `number` of them exist beyond the one that holds `greatest`."""
    return [IdRange(low, low + size) for low in range(end, greatest + number * size + 1, size)]
