"""Files of jobs: listed, and fetched as they are. A browser saves them, and runs nothing of them."""

import uuid
from pathlib import PurePosixPath
from typing import Annotated
from urllib.parse import quote

from fastapi import Query, Request, Response
from fastapi.responses import StreamingResponse

from gateway.artifacts.ranges import wanted_part
from gateway.artifacts.shapes import ArtifactAnswer, ArtifactId, ArtifactShape, JobFile, JobFileList
from gateway.conditions import matches
from gateway.context import Context
from gateway.guard import Viewer, noun_router
from gateway.request_state import state_of
from gateway.shape import PageQuery
from windmill.core.errors import WindmillError
from windmill.operate.jobs.serving_artifacts import find_visible_artifact, page_of_artifacts
from windmill.storage.artifacts.table import ArtifactRow

router = noun_router("artifacts")
SANDBOX = "default-src 'none'; sandbox"


@router.get("/jobs/{job_id}/artifacts")
async def list_artifacts(
    gateway: Context, caller: Viewer, job_id: uuid.UUID, query: Annotated[PageQuery, Query()]
) -> JobFileList:
    """The files of a job, in the order of its steps."""
    wanted = {"list": "artifacts", "sees": caller.sees, "job": str(job_id)}
    after = gateway.cursors.open(wanted, query.cursor)
    page = await page_of_artifacts(gateway.access, job_id, after, query.limit, caller.sees)
    files = [JobFile(id=one.pop("sha256"), **one) for one in page.files]
    return JobFileList(artifacts=files, count=len(files), next_cursor=gateway.cursors.seal_next(wanted, page.last))


@router.get("/artifacts/{artifact_id}")
async def show_artifact(gateway: Context, caller: Viewer, artifact_id: ArtifactId) -> ArtifactAnswer:
    """What a file is."""
    row = await find_visible_artifact(gateway.access, artifact_id, caller.sees)
    return ArtifactAnswer(
        artifact=ArtifactShape(id=artifact_id, name=row.name, media_type=row.media_type, bytes=row.bytes)
    )


@router.get(
    "/artifacts/{artifact_id}/content",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"application/octet-stream": {}}, "description": "The file."},
        206: {"content": {"application/octet-stream": {}}, "description": "The part that Range asks for."},
        304: {"description": "It is as you know it."},
        416: {"description": "The file has no such part."},
    },
)
async def fetch_artifact(request: Request, gateway: Context, caller: Viewer, artifact_id: ArtifactId) -> Response:
    """The bytes of a file, or the part that Range asks for."""
    row = await find_visible_artifact(gateway.access, artifact_id, caller.sees)
    headers = file_headers(row, artifact_id)
    if matches(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    if await gateway.store.find(row.key) is None:
        raise WindmillError("ARTIFACT_NOT_FOUND", "the file is gone")
    state_of(request).headers["Content-Range"] = f"bytes */{row.bytes}"
    part = wanted_part(_range(request, headers["ETag"]), row.bytes)
    del state_of(request).headers["Content-Range"]
    start, length = part or (0, row.bytes)
    headers["Content-Length"] = str(length)
    if part:
        headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{row.bytes}"
    pieces = gateway.store.read_range(row.key, start, length)
    return StreamingResponse(pieces, 206 if part else 200, headers=headers, media_type=row.media_type)


def file_headers(row: ArtifactRow, artifact_id: str) -> dict[str, str]:
    """A file is saved under its name, and whatever it holds cannot act on behalf of who fetched it."""
    name = quote(PurePosixPath(row.name).name, safe="")
    return {
        "ETag": f'"{artifact_id}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
        "Content-Security-Policy": SANDBOX,
    }


def _range(request: Request, tag: str) -> str | None:
    """Range, unless If-Range names another file."""
    condition = request.headers.get("if-range")
    return request.headers.get("range") if condition in (None, tag) else None
