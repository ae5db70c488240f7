"""Large files in pieces, by the protocol tus 1.0 (https://tus.io): after a cut a client asks how much has come, and
goes on from there. A file that is whole is an asset."""

import asyncio
from email.utils import formatdate
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from gateway.bodies import PIECE
from gateway.context import Context, Gateway, Who
from gateway.errors import PROBLEMS
from gateway.guard import Operator, noun_router
from gateway.request_state import state_of
from gateway.uploads.headers import (
    EXTENSIONS,
    VERSION,
    Length,
    Metadata,
    Offset,
    UploadId,
    Version,
    file_name,
    must_speak_tus,
)
from gateway.uploads.receiving import receive_piece
from windmill.core.errors import WindmillError
from windmill.operate.assets import keep_asset
from windmill.operate.resumable_uploads import FOLDER, PartialUpload, PartialUploads
from windmill.storage.audit_log import Actor

router = noun_router("uploads")
_BODY = {"requestBody": {"required": True, "content": {PIECE: {"schema": {"type": "string", "format": "binary"}}}}}
_VERSIONS: dict[int | str, dict[str, Any]] = {412: {**PROBLEMS[400], "description": "Tus-Resumable is not 1.0.0."}}


async def uploads_of(gateway: Context, request: Request) -> PartialUploads:
    """All answers tell the version of the protocol."""
    state_of(request).headers["Tus-Resumable"] = VERSION
    return PartialUploads(gateway.settings.gateway_uploads_dir / FOLDER)


Uploads = Annotated[PartialUploads, Depends(uploads_of)]


@router.options("/uploads", status_code=204)
async def tell_protocol(gateway: Context, _: Operator, response: Response) -> None:
    """Which protocol is spoken, and how large a file may be."""
    most = str(gateway.settings.gateway_max_resumable_bytes)
    response.headers.update({"Tus-Version": VERSION, "Tus-Extension": EXTENSIONS, "Tus-Max-Size": most})


@router.post("/uploads", status_code=201, responses=_VERSIONS)
async def begin_upload(
    gateway: Context,
    _: Operator,
    who: Who,
    uploads: Uploads,
    response: Response,
    length: Length,
    metadata: Metadata = "",
    version: Version = None,
) -> None:
    """Begin to send a file; Location is where its pieces go."""
    must_speak_tus(version)
    most = gateway.settings.gateway_max_resumable_bytes
    if length > most:
        remedy = "send less, or raise GATEWAY_MAX_RESUMABLE_BYTES"
        raise WindmillError("PAYLOAD_TOO_LARGE", f"a file may have at most {most:,} bytes", remedy)
    upload = await asyncio.to_thread(uploads.begin, who.principal, file_name(metadata), length)
    response.headers["Location"] = f"/uploads/{upload.upload_id}"
    await _tell(uploads, upload, response)


@router.head("/uploads/{upload_id}", responses=_VERSIONS)
async def ask_offset(
    _: Operator, who: Who, uploads: Uploads, upload_id: UploadId, response: Response, version: Version = None
) -> None:
    """How much of a file has come; Location is its asset once all has."""
    must_speak_tus(version)
    upload = await asyncio.to_thread(uploads.find, upload_id, who.principal)
    response.headers["Upload-Length"] = str(upload.length)
    response.headers["Cache-Control"] = "no-store"
    await _tell(uploads, upload, response)


@router.patch("/uploads/{upload_id}", status_code=204, responses=_VERSIONS, openapi_extra=_BODY)
async def send_piece(
    gateway: Context,
    _: Operator,
    who: Who,
    uploads: Uploads,
    upload_id: UploadId,
    request: Request,
    response: Response,
    offset: Offset,
    version: Version = None,
) -> None:
    """Send the next piece; with the last one the file is an asset, which Location names."""
    must_speak_tus(version)
    if request.headers.get("content-type", "").partition(";")[0].strip() != PIECE:
        raise WindmillError("MEDIA_TYPE_UNSUPPORTED", f"a piece has the type {PIECE}")
    upload = await asyncio.to_thread(uploads.find, upload_id, who.principal)
    if not upload.asset:
        upload = await _take(gateway, who, uploads, upload, offset, request)
    await _tell(uploads, upload, response)


@router.delete("/uploads/{upload_id}", status_code=204, responses=_VERSIONS)
async def forget_upload(_: Operator, who: Who, uploads: Uploads, upload_id: UploadId, version: Version = None) -> None:
    """Forget a file that is not whole, or how it came; an asset stays."""
    must_speak_tus(version)
    upload = await asyncio.to_thread(uploads.find, upload_id, who.principal)
    await asyncio.to_thread(uploads.forget, upload.upload_id)


async def _take(
    gateway: Gateway, who: Actor, uploads: PartialUploads, upload: PartialUpload, offset: int, request: Request
) -> PartialUpload:
    """With this piece. While the file is stored, nobody else sends any."""
    async with uploads.appending(upload, offset) as target:
        at = await receive_piece(request.stream(), target, offset, upload.length)
        if at < upload.length:
            return upload
        try:
            kept = await keep_asset(gateway.access, gateway.store, who, upload.name, uploads.data(upload))
        except WindmillError as error:
            if error.code == "MEDIA_TYPE_UNSUPPORTED":
                await asyncio.to_thread(uploads.forget, upload.upload_id)
            raise
        return await asyncio.to_thread(uploads.finish, upload, kept.asset.sha256)


async def _tell(uploads: PartialUploads, upload: PartialUpload, response: Response) -> None:
    response.headers["Upload-Offset"] = str(await asyncio.to_thread(uploads.offset, upload))
    response.headers["Upload-Expires"] = formatdate(uploads.expires(upload), usegmt=True)
    if upload.asset:
        response.headers["Location"] = f"/assets/{upload.asset}"
