"""What is told of a video whose things were tracked: each detection as a line, who is seen when, boxes for a player,
and counts. Times are seconds, boxes are left, top, width, height in pixels of the upright video."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from windmill.kernels.video.frame_canvas import track_color
from windmill.kernels.video.thumbnail_track import clock
from windmill.kernels.video.track_paths import TrackPath
from windmill.kernels.video.tracking import FrameBoxes, SeenTrack


@dataclass(frozen=True)
class LookedAt:
    """A frame that was looked at: its number in the video, and the image that stands for it."""

    frame: int
    image_id: int | None
    failed: bool
    failures: Mapping[str, str]
    """Services that have not answered, each with its code."""


@dataclass(frozen=True)
class TrackedVideo:
    """All that is known of a video. `looked`, `frames` and `services` have an entry for each frame that was looked at;
    those of `services` say who has seen each box."""

    width: int
    height: int
    seconds: float
    total_frames: int
    looked: Sequence[LookedAt]
    frames: Sequence[FrameBoxes]
    services: Sequence[Sequence[Sequence[str]]]
    tracks: Sequence[SeenTrack]
    paths: Sequence[TrackPath]

    def stats(self) -> dict[str, Any]:
        """In the words of the video service, with what it could not tell."""
        seen = Counter(box.label for frame in self.frames for box in frame.boxes)
        tracked = Counter(path.label for path in self.paths)
        failures: dict[str, Counter[str]] = {}
        for one in self.looked:
            for service, code in one.failures.items():
                failures.setdefault(service, Counter())[code] += 1
        return {
            "total_frames": self.total_frames,
            "processed_frames": len(self.looked),
            "failed_frames": sum(one.failed for one in self.looked),
            "failures": {service: dict(sorted(codes.items())) for service, codes in sorted(failures.items())},
            "detection_stats": dict(sorted(seen.items())),
            "total_detections": seen.total(),
            "track_stats": dict(sorted(tracked.items())),
            "total_tracks": len(self.paths),
            "video_duration": round(self.seconds, 3),
        }

    def detection_lines(self) -> Iterator[str]:
        """JSON, a detection a line, in the order of time."""
        tracks = {
            place: path.number
            for track, path in zip(self.tracks, self.paths, strict=True)
            for place in zip(track.frames, track.places, strict=True)
        }
        for number, (looked, frame, services) in enumerate(zip(self.looked, self.frames, self.services, strict=True)):
            for place, (box, said) in enumerate(zip(frame.boxes, services, strict=True)):
                known = {"frame": looked.frame, "time": round(frame.seconds, 3), "image_id": looked.image_id}
                sides = [round(side, 1) for side in box.box]
                seen = {"label": box.label, "score": round(box.score, 3), "box": sides, "services": list(said)}
                yield json.dumps({**known, **seen, "track": tracks.get((number, place))})

    def tracks_document(self) -> dict[str, Any]:
        """What is drawn; between two times a box moves evenly."""
        tracks = [{**path.document(), "color": _hex(path.number)} for path in self.paths]
        return {"width": self.width, "height": self.height, "seconds": round(self.seconds, 3), "tracks": tracks}

    def timeline(self) -> dict[str, Any]:
        """Who is seen when, and from when to when there is anything of a label."""
        labels = sorted({path.label for path in self.paths})
        spans = {label: _joined([path for path in self.paths if path.label == label]) for label in labels}
        tracks = [
            {"track": path.number, "label": path.label, "begins": round(path.begins, 3), "ends": round(path.ends, 3)}
            for path in self.paths
        ]
        return {"seconds": round(self.seconds, 3), "labels": spans, "tracks": tracks}

    def boxes_track(self) -> str:
        """WebVTT with a line of JSON a cue: the boxes in the middle of the time for which it stands."""
        lines = [
            "WEBVTT",
            "",
            f"NOTE boxes are left, top, width, height in a video of {self.width} x {self.height}",
            "",
        ]
        times = [frame.seconds for frame in self.frames]
        there = _There(self.paths)
        for begin, end in zip(times, [*times[1:], self.seconds], strict=True):
            if begin < end:
                shown = [_cue(path, (begin + end) / 2) for path in there.at((begin + end) / 2)]
                lines += [f"{clock(begin)} --> {clock(end)}", json.dumps([one for one in shown if one]), ""]
        return "\n".join(lines)


class _There:
    """Who is there at times that are asked for in their order. Mutable."""

    def __init__(self, paths: Sequence[TrackPath]) -> None:
        self._coming = sorted(paths, key=lambda path: path.begins, reverse=True)
        self._there: list[TrackPath] = []

    def at(self, seconds: float) -> list[TrackPath]:
        while self._coming and self._coming[-1].begins <= seconds:
            self._there.append(self._coming.pop())
        self._there = [path for path in self._there if path.ends > seconds]
        return self._there


def _cue(path: TrackPath, seconds: float) -> dict[str, Any] | None:
    box = path.box_at(seconds)
    named = {"track": path.number, "label": path.label, "color": _hex(path.number)}
    return {**named, "box": [round(side, 1) for side in box]} if box else None


def _joined(paths: Sequence[TrackPath]) -> list[list[float]]:
    """Times when there is one at least, from and to."""
    spans: list[list[float]] = []
    for path in sorted(paths, key=lambda one: one.begins):
        if spans and path.begins <= spans[-1][1]:
            spans[-1][1] = max(spans[-1][1], round(path.ends, 3))
        else:
            spans.append([round(path.begins, 3), round(path.ends, 3)])
    return spans


def _hex(number: int) -> str:
    return "#{:02x}{:02x}{:02x}".format(*track_color(number))
