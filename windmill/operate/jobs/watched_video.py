"""The video of a job for those who watch it: what can be played, which segments are done, and who is seen when."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from windmill.core.errors import WindmillError
from windmill.jobs.access import JobAccess
from windmill.operate.jobs.shown import Shown
from windmill.operate.jobs.stored_json import read_stored_json
from windmill.operate.jobs.whole_job import WholeJob, read_whole_job
from windmill.storage.artifacts.store import ArtifactStore, blob_key

MOST_BYTES = 4_000_000
"""Of a document that is read whole."""


@dataclass(frozen=True)
class VideoFile:
    """A file of the job that can be played or shown."""

    name: str
    media_type: str
    sha256: str


@dataclass(frozen=True)
class WatchedVideo:
    """`source` is what the job was given, `result` what it has made in the end. `tracks` are boxes that move,
    `timeline` and `stats` what is seen; empty until that is known. `grows` where there is a playlist of segments."""

    job: WholeJob
    source: VideoFile | None
    result: VideoFile | None
    poster: VideoFile | None
    tracks: VideoFile | None
    cues: VideoFile | None
    timeline: Mapping[str, Any]
    stats: Mapping[str, Any]
    grows: bool


async def read_watched_video(
    access: JobAccess, store: ArtifactStore, public_id: uuid.UUID, principal: str | None
) -> WatchedVideo:
    """Raises NOT_FOUND, also for a job without a video."""
    job = await read_whole_job(access, public_id, principal)
    files: Sequence[Shown] = job.told["artifacts"]
    video = WatchedVideo(
        job=job,
        source=_file(files, lambda one: not one["step"] and one["media_type"].startswith("video/")),
        result=_named(files, "video.mp4"),
        poster=_named(files, "poster.jpg"),
        tracks=_named(files, "tracks.json"),
        cues=_named(files, "boxes.vtt"),
        timeline=await _document(store, files, "timeline.json"),
        stats=await _document(store, files, "stats.json"),
        grows=any(one["step"] and one["name"] == "init.mp4" for one in files),
    )
    if not (video.source or video.result or video.grows):
        raise WindmillError("NOT_FOUND", "the job has no video", "look at its files")
    return video


def _named(files: Sequence[Shown], name: str) -> VideoFile | None:
    return _file(files, lambda one: bool(one["step"]) and one["name"] == name)


def _file(files: Sequence[Shown], fits: Callable[[Shown], bool]) -> VideoFile | None:
    found = [one for one in files if fits(one)]
    return VideoFile(found[-1]["name"], found[-1]["media_type"], found[-1]["sha256"]) if found else None


async def _document(store: ArtifactStore, files: Sequence[Shown], name: str) -> Mapping[str, Any]:
    """Empty while it is not there, and where it is too large to be shown."""
    found = [one for one in files if one["step"] and one["name"] == name and one["bytes"] <= MOST_BYTES]
    if not found:
        return {}
    document = await read_stored_json(store, blob_key(found[-1]["sha256"]), found[-1]["bytes"])
    return document if isinstance(document, dict) else {}
