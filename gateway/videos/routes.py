"""The playlist of a job's video."""

import uuid
from typing import Any

from fastapi import Response

from gateway.context import Context
from gateway.guard import Viewer, noun_router
from windmill.kernels.video.playlist import PLAYLIST_TYPE
from windmill.operate.jobs.playlists import read_playlist

router = noun_router("videos")
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {PLAYLIST_TYPE: {}}, "description": "An HLS playlist; it ends once the video is whole."}
}


@router.get("/jobs/{job_id}/playlist.m3u8", response_class=Response, responses=_ANSWERS)
async def show_playlist(gateway: Context, caller: Viewer, job_id: uuid.UUID) -> Response:
    """The segments of the video that are made so far, for players that load it again and again until it ends."""
    text = await read_playlist(gateway.access, job_id, caller.sees)
    return Response(text, media_type=PLAYLIST_TYPE, headers={"Cache-Control": "no-cache"})
