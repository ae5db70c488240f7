"""Stretches of time, in seconds."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

Span = tuple[float, float]


def total(spans: Iterable[Span]) -> float:
    """Seconds of all of them."""
    return sum(end - start for start, end in spans)


def common(one: Span, other: Span) -> float:
    """Seconds that two have in common."""
    return max(0.0, min(one[1], other[1]) - max(one[0], other[0]))


def merged(spans: Iterable[Span], gap: float = 0.0) -> list[Span]:
    """In order; those with less than `gap` between them become one."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start - found[-1][1] <= gap:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def padded(spans: Iterable[Span], seconds: float, end: float) -> list[Span]:
    """Each longer by so much on both sides, within 0 and `end`."""
    return merged((max(0.0, start - seconds), min(end, stop + seconds)) for start, stop in spans)


def without(span: Span, others: Iterable[Span]) -> list[Span]:
    """The parts of a span that are in none of the others."""
    left, at = [], span[0]
    for start, end in merged(others):
        if end <= at or start >= span[1]:
            continue
        if start > at:
            left.append((at, start))
        at = end
    return [*left, (at, span[1])] if at < span[1] else left


def grouped(spans: Sequence[Span], most: float, gap: float) -> list[Span]:
    """Neighbours with at most `gap` between them as one, as long as it is not longer than `most`; a longer one is cut
    into equal parts."""
    found: list[Span] = []
    for start, end in (part for span in spans for part in _cut(span, most)):
        if found and start - found[-1][1] <= gap and end - found[-1][0] <= most:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def _cut(span: Span, most: float) -> list[Span]:
    start, end = span
    count = max(1, -int(-(end - start) // most))
    marks = [start + (end - start) * number / count for number in range(count)]
    return list(pairwise([*marks, end]))
