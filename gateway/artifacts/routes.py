"""Files of jobs: listed, and fetched as they are. A browser saves them, and runs nothing of them."""

import uuid
from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import StreamingResponse

from gateway.artifacts.serving import FILE_ANSWERS, serve_file
from gateway.artifacts.shapes import ArtifactAnswer, ArtifactId, ArtifactShape, JobFile, JobFileList
from gateway.context import Context
from gateway.guard import Viewer, noun_router
from gateway.shape import PageQuery
from windmill.operate.jobs.serving_artifacts import find_visible_artifact, page_of_artifacts

router = noun_router("artifacts")


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
    responses=FILE_ANSWERS,
)
async def fetch_artifact(request: Request, gateway: Context, caller: Viewer, artifact_id: ArtifactId) -> Response:
    """The bytes of a file, or the part that Range asks for."""
    row = await find_visible_artifact(gateway.access, artifact_id, caller.sees)
    return await serve_file(request, gateway, row, artifact_id)
