"""Who is who in the frames of a video: boxes that are the same thing become a track.

In the manner of ByteTrack: sure boxes find their tracks first, unsure ones may continue a track but begin none, what is
seen in one frame and not in the next is no track, and a track that is not seen is kept for a while. Frames are sampled,
so a thing may be far from where it was: boxes are widened when they are compared (as in C-BIoU), and what comes next is
expected by the time that has passed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from windmill.kernels.boxes.geometry import Bools, Floats, ious
from windmill.kernels.video.assignment import assign
from windmill.kernels.video.box_motion import BoxMotion

PixelBox = tuple[float, float, float, float]
"""Left, top, width, height."""


@dataclass(frozen=True)
class FrameBox:
    """A thing that was detected in a frame."""

    label: str
    score: float
    box: PixelBox


@dataclass(frozen=True)
class FrameBoxes:
    """What was detected in a frame. With a `cut` the scene before it has ended."""

    seconds: float
    boxes: Sequence[FrameBox]
    cut: bool = False


@dataclass(frozen=True)
class TrackOptions:
    """A box is `sure` from a score on, and may begin a track. One that is not seen for so many seconds has ended."""

    sure: float = 0.5
    gap_seconds: float = 2.0


@dataclass(frozen=True)
class _Round:
    """Boxes are widened by so many of their mean side, and must then overlap by `least`; with `stays` also where a
    thing was seen last, as one may stop or turn."""

    sure: bool
    wider: float
    least: float
    stays: bool = False


_ROUNDS = (
    _Round(True, 0.3, 0.2),
    _Round(False, 0.1, 0.3),
    _Round(True, 0.7, 0.1, stays=True),
    _Round(False, 0.5, 0.15, stays=True),
)
_OTHER_LABEL, _SAME_PLACE = 0.7, 0.5
"""A detector takes a car for a truck now and then: such a box fits less well, and only at the same place."""


@dataclass
class SeenTrack:
    """A thing, and where it was seen: numbers of frames, and of boxes in them. `scene` counts cuts. Mutable while it
    is followed."""

    scene: int
    frames: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)
    """The sum of the scores of each label."""

    @property
    def label(self) -> str:
        """The one that was said most often and most surely."""
        return max(self.scores, key=lambda label: (self.scores[label], label))

    @property
    def score(self) -> float:
        return sum(self.scores.values()) / len(self.frames)

    def note(self, frame: int, place: int, box: FrameBox) -> None:
        self.frames.append(frame)
        self.places.append(place)
        self.scores[box.label] = self.scores.get(box.label, 0.0) + box.score


_LEEWAY, _UNKNOWN_SPEED = 1.25, 4.0
"""Of a side, and sides a second of a thing that was seen only once."""


@dataclass
class _Live:
    track: SeenTrack
    motion: BoxMotion

    def reach(self, seconds: float) -> float:
        """How far it may be from where it was seen last, whichever way it went."""
        side = float(np.sqrt(self.motion.state[0, 2:].prod()))
        known = len(self.track.frames) > 1
        speed = float(np.hypot(*self.motion.state[1, :2])) if known else _UNKNOWN_SPEED * side
        return speed * (seconds - self.motion.seconds) + _LEEWAY * side


def follow(frames: Sequence[FrameBoxes], options: TrackOptions) -> list[SeenTrack]:
    """All tracks, in the order of their beginnings. What was seen only once is none, unless its scene has one frame."""
    follower = _Follower(options)
    for number, frame in enumerate(frames):
        follower.look(number, frame)
    return [track for track in follower.tracks if len(track.frames) > 1 or follower.scenes[track.scene] == 1]


class _Follower:
    """Mutable: it is shown one frame after the other. `scenes` counts the frames of each scene."""

    def __init__(self, options: TrackOptions) -> None:
        self.tracks: list[SeenTrack] = []
        self.scenes = [0]
        self._options = options
        self._live: list[_Live] = []

    def look(self, number: int, frame: FrameBoxes) -> None:
        if frame.cut and number:
            self._live = []
            self.scenes.append(0)
        self.scenes[-1] += 1
        least = frame.seconds - self._options.gap_seconds
        self._live = [one for one in self._live if one.motion.seconds >= least]
        free = set(range(len(frame.boxes)))
        for one, place in self._pairs(frame):
            free.remove(place)
            one.motion.advance(frame.seconds)
            one.motion.see(_centred(frame.boxes[place].box))
            one.track.note(number, place, frame.boxes[place])
        self._live = [one for one in self._live if len(one.track.frames) > 1 or one.motion.seconds == frame.seconds]
        for place in sorted(free):
            if frame.boxes[place].score >= self._options.sure:
                self._begin(number, place, frame)

    def _begin(self, number: int, place: int, frame: FrameBoxes) -> None:
        box = frame.boxes[place]
        track = SeenTrack(len(self.scenes) - 1)
        track.note(number, place, box)
        self.tracks.append(track)
        self._live.append(_Live(track, BoxMotion(_centred(box.box), frame.seconds)))

    def _pairs(self, frame: FrameBoxes) -> Iterator[tuple[_Live, int]]:
        """Tracks, each with the box that continues it."""
        tracks, places = list(self._live), list(range(len(frame.boxes)))
        for one in _ROUNDS:
            chosen = [place for place in places if (frame.boxes[place].score >= self._options.sure) == one.sure]
            if not tracks or not chosen:
                continue
            costs = 1.0 - _likeness(tracks, [frame.boxes[place] for place in chosen], frame.seconds, one)
            found = [(tracks[row], chosen[column]) for row, column in assign(costs, 1.0 - one.least)]
            yield from found
            taken = {place for _, place in found}
            tracks = [track for track in tracks if all(track is not other for other, _ in found)]
            places = [place for place in places if place not in taken]


def _likeness(tracks: Sequence[_Live], boxes: Sequence[FrameBox], seconds: float, one: _Round) -> Floats:
    """How well each box continues each track, in 0..1."""
    expected = np.stack([live.motion.at(seconds) for live in tracks])
    seen = np.stack([_centred(box.box) for box in boxes])
    same: Bools = np.array([[live.track.label == box.label for box in boxes] for live in tracks])
    overlap = _overlap(expected, seen, one.wider)
    if one.stays:
        last = np.stack([live.motion.state[0] for live in tracks])
        far = np.hypot(*(last[:, None, :2] - seen[None, :, :2]).transpose(2, 0, 1))
        overlap = np.maximum(overlap, _overlap(last, seen, one.wider))
        overlap[far > np.array([[live.reach(seconds)] for live in tracks])] = 0.0
    at_one_place = _overlap(expected, seen, 0.0) >= _SAME_PLACE
    return np.where(same, overlap, np.where(at_one_place, _OTHER_LABEL * overlap, 0.0))


def _overlap(some: Floats, others: Floats, wider: float) -> Floats:
    return ious(_corners(some, wider), _corners(others, wider))


def _centred(box: PixelBox) -> Floats:
    left, top, width, height = box
    return np.array([left + width / 2, top + height / 2, width, height])


def _corners(centred: Floats, wider: float) -> Floats:
    sides = centred[:, 2:]
    half = sides / 2 + wider * np.sqrt(np.maximum(sides.prod(axis=1, keepdims=True), 0.0))
    return np.concatenate((centred[:, :2] - half, centred[:, :2] + half), axis=1)
