"""The playlist of a video that a job makes: it grows while segments are made, so the video is watched meanwhile."""

import uuid
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import orjson

from windmill.core.errors import WindmillError
from windmill.jobs.access import JobAccess
from windmill.jobs.submitting import find_job
from windmill.kernels.video.playlist import PlayablePiece, render_playlist
from windmill.pipelines.video.forms import DRAW, ENCODE
from windmill.pipelines.video.plan_documents import EncodedSegment, video_of
from windmill.pipelines.video.segment_work import HEADER
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction


async def read_playlist(access: JobAccess, public_id: uuid.UUID, principal: str | None) -> str:
    """Raises NOT_FOUND until the first segment is made."""
    job_id = await find_job(access, public_id, principal)
    async with transaction(access.pool, access.settings) as rows:
        found = await rows.fetch(queries()["list_video_pieces"], job_id, [ENCODE.name, DRAW.name])
    header = next((row["sha256"] for row in found if row["name"] == HEADER), None)
    if header is None:
        raise WindmillError("NOT_FOUND", "no segment of a video is made yet")
    return _rendered(header, [row for row in found if row["name"] != HEADER])


def _rendered(header: str, rows: Sequence[Any]) -> str:
    video = video_of({"video": orjson.loads(rows[0]["video"])})
    pieces = [_piece(row["sha256"], EncodedSegment(**orjson.loads(row["done"])), video.scale) for row in rows]
    longest = Fraction(video.longest, video.scale)
    return render_playlist(pieces, _url(header), longest, whole=len(pieces) == video.segments)


def _piece(sha256: str, done: EncodedSegment, scale: int) -> PlayablePiece:
    return PlayablePiece(done.number, _url(sha256), Fraction(done.end - done.first, scale))


def _url(sha256: str) -> str:
    return f"/artifacts/{sha256}/content"
