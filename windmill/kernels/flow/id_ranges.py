"""A set of whole numbers that come mostly in ascending order, such as image ids out of a queue: kept as ranges, so that
a million of them in a row take no more room than one."""

from array import array
from bisect import bisect_right


class IdRanges:
    """Numbers are added one by one; asking sorts what was added since."""

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
        """How many different numbers there are."""
        self._sort()
        return sum(last - first + 1 for first, last in zip(self._firsts, self._lasts, strict=True))

    def _sort(self) -> None:
        """Ascending ranges that do not touch."""
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
