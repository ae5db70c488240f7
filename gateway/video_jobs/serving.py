"""What the routes of /jobs answer to clients of the video service."""

import re
from typing import NamedTuple

from gateway.caller import Caller
from gateway.context import Gateway
from gateway.errors import WordedError
from gateway.jobs.file_jobs import FileAsk, job_of_file
from gateway.video_jobs.shapes import VideoJobAnswer, VideoJobList
from gateway.video_jobs.words import STATES, video_job
from windmill.core.errors import WindmillError
from windmill.operate.assets import Asset, find_asset
from windmill.operate.jobs.outlines import list_outlines, show_outline
from windmill.operate.jobs.recorded_change import RecordedChange
from windmill.storage.audit_log import Actor

MOST = 100
_ID = re.compile(r"[0-9a-f]{24}([0-9a-f]{40})?")


class VideoAsk(NamedTuple):
    """What such a client sends to make a job."""

    video_id: str | None
    key: str | None
    digest: str


async def make_video_job(gateway: Gateway, caller: Caller, who: Actor, ask: VideoAsk) -> VideoJobAnswer:
    """A job of a video that was sent before."""
    if not ask.video_id:
        raise WordedError("USAGE", "video_id required", "video_id required")
    asset = await _video(gateway, caller, ask.video_id)
    watched = gateway.watched(RecordedChange(who, "jobs.create", key=caller.key))
    made = await job_of_file(gateway, watched, caller, FileAsk("annotate", asset, key=ask.key, digest=ask.digest))
    return VideoJobAnswer(job=video_job(await show_outline(gateway.access, made, caller.sees)))


async def _video(gateway: Gateway, caller: Caller, video_id: str) -> Asset:
    if _ID.fullmatch(video_id):
        try:
            return await find_asset(gateway.access, video_id, caller.sees)
        except WindmillError as error:
            if error.code != "NOT_FOUND":
                raise
    raise WordedError("NOT_FOUND", "Video not found", "Video not found")


def in_its_words(status: str | None) -> bool:
    """Whether a list is asked for in the words of the video service."""
    return status is not None and (status in STATES or not status)


async def list_video_jobs(gateway: Gateway, caller: Caller, status: str | None) -> VideoJobList:
    """The newest jobs, at most a hundred."""
    statuses, fresh = STATES.get(status or "", (None, None))
    jobs = [video_job(one) for one in await list_outlines(gateway.access, statuses, fresh, MOST, caller.sees)]
    return VideoJobList(jobs=jobs, count=len(jobs))
