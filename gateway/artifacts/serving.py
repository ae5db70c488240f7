"""A file as an answer: saved under its name, in part if that is asked for, and of no effect in a browser."""

from pathlib import PurePosixPath
from typing import Any

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from gateway.artifacts.ranges import wanted_part
from gateway.attachments import attachment
from gateway.conditions import matches
from gateway.context import Gateway
from gateway.request_state import state_of
from windmill.core.errors import WindmillError
from windmill.storage.artifacts.table import ArtifactRow

SANDBOX = "default-src 'none'; sandbox"
FILE_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "The file."},
    206: {"content": {"application/octet-stream": {}}, "description": "The part that Range asks for."},
    304: {"description": "It is as you know it."},
    416: {"description": "The file has no such part."},
}


async def serve_file(request: Request, gateway: Gateway, row: ArtifactRow, artifact_id: str) -> Response:
    """The bytes of a file, or the part that Range asks for."""
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
    return {
        "ETag": f'"{artifact_id}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Disposition": attachment(PurePosixPath(row.name).name),
        "Content-Security-Policy": SANDBOX,
    }


def _range(request: Request, tag: str) -> str | None:
    """Range, unless If-Range names another file."""
    condition = request.headers.get("if-range")
    return request.headers.get("range") if condition in (None, tag) else None
