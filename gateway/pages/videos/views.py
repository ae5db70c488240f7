"""What the page of a video shows. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.pages.badges import Badge
from gateway.pages.jobs.listing import JobLine, job_line
from windmill.operate.jobs.timeline import TimelineStep
from windmill.operate.jobs.watched_video import VideoFile, WatchedVideo

WIDTH = 1_000
MOST_LABELS = 40
_STATES = {"succeeded": "done", "running": "running", "failed": "failed", "queued": "waiting", "waiting": "waiting"}


@dataclass(frozen=True)
class SeenSpan:
    """From when to when something is seen: in seconds, and on a lane that is a thousand units wide."""

    begins: float
    ends: float
    x: int
    width: int


@dataclass(frozen=True)
class SeenLabel:
    """What is seen: how often, as detections and as things that were followed, and when."""

    label: str
    detections: int | None
    things: int | None
    spans: tuple[SeenSpan, ...]


@dataclass(frozen=True)
class Segment:
    """A piece of the video, and how far it is."""

    number: int
    look: str
    x: int
    width: int


@dataclass(frozen=True)
class Strip:
    """The segments of one step, side by side."""

    step: str
    done: int
    planned: int
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Playable:
    """What the player can show, and whether somebody has chosen it."""

    name: str
    key: str
    url: str
    media_type: str
    chosen: bool


@dataclass(frozen=True)
class WatchView:
    """`player` is what is played now; `tracks_url` the boxes that are drawn over it."""

    line: JobLine
    state: Badge
    choices: tuple[Playable, ...]
    player: Playable
    poster_url: str
    tracks_url: str
    cues_url: str
    strip: Strip | None
    seen: tuple[SeenLabel, ...]
    seconds: float
    hidden_labels: int
    failed_frames: int
    at: float = 0

    @property
    def begins(self) -> str:
        """What makes a player begin at a second: a media fragment, so that no script is needed."""
        return f"#t={self.at:.2f}" if self.at else ""


def watch_view(video: WatchedVideo, wanted: str, at: float = 0) -> WatchView:
    line = job_line(video.job.told)
    choices = _choices(video, line.public_id, wanted)
    player = next((one for one in choices if one.chosen), choices[0])
    labels = _labels(video.timeline, video.stats)
    return WatchView(
        line=line,
        state=line.state,
        choices=choices,
        player=player,
        poster_url=_url(video.poster),
        # In a result boxes are drawn already.
        tracks_url=_url(video.tracks) if player.key == "source" else "",
        cues_url=_url(video.cues),
        strip=_strip(video.job.timeline.steps),
        seen=labels[:MOST_LABELS],
        seconds=_number(video.timeline.get("seconds")),
        hidden_labels=max(len(labels) - MOST_LABELS, 0),
        failed_frames=int(_number(video.stats.get("failed_frames"))),
        at=at,
    )


def _choices(video: WatchedVideo, job: str, wanted: str) -> tuple[Playable, ...]:
    """What was given, with boxes over it where there are any, and what is made."""
    found: list[tuple[str, str, str, str]] = []
    if video.source:
        found.append(("source", "Source", _url(video.source), video.source.media_type))
    if video.result:
        found.append(("result", "Result", _url(video.result), video.result.media_type))
    elif video.grows:
        playlist = f"/jobs/{job}/playlist.m3u8"
        found.append(("growing", "Result so far", playlist, "application/vnd.apple.mpegurl"))
    keys = [key for key, *_ in found]
    usual = "source" if video.tracks and video.source else keys[-1]
    chosen = wanted if wanted in keys else usual
    return tuple(Playable(name, key, url, kind, key == chosen) for key, name, url, kind in found)


def _url(file: VideoFile | None) -> str:
    return f"/artifacts/{file.sha256}/content" if file else ""


def _labels(timeline: Mapping[str, Any], stats: Mapping[str, Any]) -> tuple[SeenLabel, ...]:
    """Those first that are seen for the longest time."""
    seconds = max(_number(timeline.get("seconds")), 0.001)
    spans = _mapping(timeline.get("labels"))
    detections, things = _mapping(stats.get("detection_stats")), _mapping(stats.get("track_stats"))
    found = [
        SeenLabel(str(label), detections.get(label), things.get(label), tuple(_spans(times, seconds)))
        for label, times in spans.items()
    ]
    return tuple(sorted(found, key=lambda one: (-sum(span.ends - span.begins for span in one.spans), one.label)))


def _spans(times: object, seconds: float) -> list[SeenSpan]:
    pairs = [one for one in times if isinstance(one, list) and len(one) == 2] if isinstance(times, list) else []
    return [_span(_number(begins), _number(ends), seconds) for begins, ends in pairs]


def _span(begins: float, ends: float, seconds: float) -> SeenSpan:
    x = round(begins / seconds * WIDTH)
    return SeenSpan(begins, ends, x, max(round(ends / seconds * WIDTH) - x, 3))


def _strip(steps: Sequence[TimelineStep]) -> Strip | None:
    """Of the step with the most pieces, the last of several."""
    found = [step for step in steps if step.planned > 1 and step.tasks]
    if not found:
        return None
    step = max(reversed(found), key=lambda one: one.planned)
    share = WIDTH / len(step.tasks)
    segments = tuple(
        Segment(task.shard + 1, _STATES.get(task.status, "waiting"), round(place * share), max(round(share) - 2, 1))
        for place, task in enumerate(step.tasks)
    )
    return Strip(step.name, step.settled - step.failed, step.planned, segments)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
