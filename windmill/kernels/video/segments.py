"""Where a video is cut: at keyframes before which nothing is shown that is decoded after them, so that each segment can
be decoded alone. What has no such keyframe for long is a long segment. Decided once, and written down."""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from windmill.kernels.video.packet_scan import ScannedStream

LEAST, MOST = Fraction(2, 3), Fraction(5, 3)
"""Of the wished length, so of 6 s: 4 s to 10 s."""


@dataclass(frozen=True)
class VideoSegment:
    """Frames of a source that are decoded together. `packet` is the first in the order of decoding, times are those of
    the source; the last frame is shown until `end`."""

    packet: int
    frames: int
    first: int
    end: int


def cut_segments(stream: ScannedStream, wished: Fraction) -> list[VideoSegment]:
    """All segments in order. `wished` is in units of the stream's time base."""
    end = _end(stream)
    cuts = list(_chosen(_possible_cuts(stream), stream.first, end, wished))
    ends = [*(stream.pts[cut] for cut in cuts[1:]), end]
    lasts = [*cuts[1:], len(stream.pts)]
    return [_segment(stream, *one) for one in zip(cuts, lasts, ends, strict=True)]


def _possible_cuts(stream: ScannedStream) -> Iterator[tuple[int, int]]:
    """Packets that a segment may begin with, each with its time."""
    times = stream.pts
    least_after, least = array("q", times), 2**63 - 1
    for place in range(len(times) - 1, -1, -1):
        least = min(least, times[place])
        least_after[place] = least
    most_before = -(2**63)
    for place, time in enumerate(times):
        if stream.is_key(place) and stream.is_shown(place) and most_before < time <= least_after[place]:
            yield place, time
        most_before = max(most_before, time)


def _chosen(cuts: Iterable[tuple[int, int]], start: int, end: int, wished: Fraction) -> Iterator[int]:
    """The first packet of each segment: the first cut where a segment has its length, or the last before it would
    become too long. No short rest is left at the end."""
    yield 0
    earlier: tuple[int, int] | None = None
    for packet, time in cuts:
        if time <= start:
            continue
        if time - start > wished * MOST and earlier:
            yield earlier[0]
            start, earlier = earlier[1], None
        if end - time < wished * LEAST and end - start <= wished * MOST:
            return
        if time - start >= wished:
            yield packet
            start, earlier = time, None
        elif time - start >= wished * LEAST:
            earlier = (packet, time)
    if earlier and end - start > wished * MOST:
        yield earlier[0]


def _segment(stream: ScannedStream, first: int, last: int, end: int) -> VideoSegment:
    shown = array("q", (stream.pts[place] for place in range(first, last) if stream.is_shown(place)))
    return VideoSegment(first, len(shown), min(shown), end)


def _end(stream: ScannedStream) -> int:
    """When the last frame has been shown."""
    if stream.last_duration > 0:
        return stream.last + stream.last_duration
    shown = stream.shown[-2:]
    return stream.last + max(shown[-1] - shown[0] if len(shown) > 1 else 1, 1)
