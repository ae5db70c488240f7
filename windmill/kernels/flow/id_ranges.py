"""A set of integers that arrive mostly in ascending order, such as image ids from a queue. It stores ranges, so a
million consecutive ids take no more memory than one."""

from array import array
from bisect import bisect_right


class IdRanges:
    """A mutable set: `add` is cheap, and look-ups sort what was added since the last one."""

    def __init__(self) -> None:
        self._firsts = array("q")
        self._lasts = array("q")
        self._sorted = True

    def add(self, number: int) -> None:
        if self._lasts and number == self._lasts[-1] + 1:
            self._lasts[-1] = number
        elif not self._lasts or number != self._lasts[-1]:
            self._firsts.append(number)
            self._lasts.append(number)
        self._sorted = False

    def __contains__(self, number: int) -> bool:
        self._sort()
        place = bisect_right(self._firsts, number) - 1
        return place >= 0 and number <= self._lasts[place]

    def __len__(self) -> int:
        """The number of distinct ids."""
        self._sort()
        return sum(last - first + 1 for first, last in zip(self._firsts, self._lasts, strict=True))

    def _sort(self) -> None:
        """Sort the ranges and join those that touch."""
        if self._sorted:
            return
        firsts, lasts = array("q"), array("q")
        for first, last in sorted(zip(self._firsts, self._lasts, strict=True)):
            if lasts and first <= lasts[-1] + 1:
                lasts[-1] = max(lasts[-1], last)
            else:
                firsts.append(first)
                lasts.append(last)
        self._firsts, self._lasts, self._sorted = firsts, lasts, True
