"""Which of some belongs to which of others, so that all pairs together cost least (the Hungarian method)."""

import numpy as np

from windmill.kernels.boxes.geometry import Floats


def assign(costs: Floats, most: float) -> list[tuple[int, int]]:
    """Pairs of row and column, each in one pair at most, none of which costs `most` or more. To leave two without a
    partner costs as much as a pair of `most`."""
    rows, columns = costs.shape
    if rows > columns:
        return sorted((row, column) for column, row in assign(costs.T, most))
    if not rows:
        return []
    owners = _Owners(np.minimum(costs, most))
    for row in range(rows):
        owners.add(row)
    return sorted((row, column) for column, row in owners.pairs if costs[row, column] < most)


class _Owners:
    """Which row has which column. Mutable: each row that is added takes the cheapest free column, for which others may
    have to move. Row and column 0 stand for none."""

    def __init__(self, costs: Floats) -> None:
        self._costs = costs
        self._rows, self._columns = np.zeros(costs.shape[0] + 1), np.zeros(costs.shape[1] + 1)
        self._owner = np.zeros(costs.shape[1] + 1, np.int64)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        return [(column - 1, int(row) - 1) for column, row in enumerate(self._owner) if column and row]

    def add(self, row: int) -> None:
        self._owner[0] = row + 1
        size = len(self._owner)
        least, before, used = np.full(size, np.inf), np.zeros(size, np.int64), np.zeros(size, np.bool_)
        column = 0
        while self._owner[column] or not column:
            used[column] = True
            owner = self._owner[column]
            reduced = np.concatenate(([np.inf], self._costs[owner - 1] - self._rows[owner] - self._columns[1:]))
            better = ~used & (reduced < least)
            least[better], before[better] = reduced[better], column
            column = int(np.argmin(np.where(used, np.inf, least)))
            step = least[column]
            self._rows[self._owner[used]] += step
            self._columns[used] -= step
            least[~used] -= step
        self._move(column, before)

    def _move(self, column: int, before: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> None:
        while column:
            self._owner[column] = self._owner[before[column]]
            column = int(before[column])
