"""Chunks of a recording: each is safe once it is answered, whatever happens afterwards."""

import base64
import binascii
import re
import uuid
from pathlib import Path
from typing import Annotated

from fastapi import Header, Response
from fastapi import Path as PathParameter

from gateway.assets.uploads import FILE_FORM, as_file
from gateway.caller import Caller
from gateway.context import Context, Gateway, Speaking, Who
from gateway.guard import Operator, noun_router
from gateway.sessions.shapes import ChunkAnswer, ChunkForm
from windmill.core.errors import WindmillError
from windmill.kernels.media.media_type import HEAD_BYTES, media_type_of_bytes
from windmill.operate.jobs.recorded_change import RecordedChange
from windmill.operate.sessions.people import Person
from windmill.operate.sessions.reading import show_progress
from windmill.operate.sessions.recording import CONTINUATION, MOST_CHUNKS, take_chunk
from windmill.storage.audit_log import Actor
from windmill.storage.sessions.chunks import SessionChunk

router = noun_router("sessions")

NEXT = -1
"""Stands for the number after the greatest."""
_SHA256 = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]+):\s*(?:,|$)")
ContentDigest = Annotated[
    str | None,
    Header(alias="Content-Digest", max_length=500, description="sha-256=:…: of the chunk; it is compared."),
]
Number = Annotated[int, PathParameter(ge=0, lt=MOST_CHUNKS)]
SAME = {200: {"model": ChunkAnswer, "description": "The same bytes were there under this number."}}


@router.post("/sessions/{session_id}/chunks", status_code=201, responses=SAME)  # type: ignore[arg-type]
async def send_chunk(
    gateway: Context,
    caller: Operator,
    who: Who,
    person: Speaking,
    session_id: uuid.UUID,
    response: Response,
    form: Annotated[ChunkForm, FILE_FORM],
    digest: ContentDigest = None,
) -> ChunkAnswer:
    """Send the next chunk, or the one with `chunk_number`."""
    number = NEXT if form.chunk_number is None else form.chunk_number
    return await _take(gateway, caller, who, person, session_id, response, number, form, digest)


@router.put("/sessions/{session_id}/chunks/{number}", status_code=201, responses=SAME)  # type: ignore[arg-type]
async def put_chunk(
    gateway: Context,
    caller: Operator,
    who: Who,
    person: Speaking,
    session_id: uuid.UUID,
    number: Number,
    response: Response,
    form: Annotated[ChunkForm, FILE_FORM],
    digest: ContentDigest = None,
) -> ChunkAnswer:
    """Send the chunk with this number, from 0. Sent again it changes nothing; other bytes under its number are 409."""
    if form.chunk_number not in (None, number):
        raise WindmillError("USAGE", f"chunk_number is {form.chunk_number}, and the path says {number}")
    return await _take(gateway, caller, who, person, session_id, response, number, form, digest)


async def _take(
    gateway: Gateway,
    caller: Caller,
    who: Actor,
    person: Person,
    session: uuid.UUID,
    response: Response,
    number: int,
    form: ChunkForm,
    digest: str | None,
) -> ChunkAnswer:
    await show_progress(gateway.access, session, person)  # nothing is stored for whoever may not record
    access = gateway.watched(RecordedChange(who, "sessions.chunk", key=caller.key))
    chunk = await _store(gateway, number, form, digest)
    taken = await take_chunk(access, await gateway.presets.library(), person, session, chunk)
    response.status_code = 200 if taken.duplicate else 201
    name = f"chunk_{taken.chunk.number:04}"
    return ChunkAnswer(
        chunk_number=taken.chunk.number,
        uploaded=True,
        storage_path=f"sessions/{session}/chunks/{name}",
        sha256=taken.chunk.sha256,
        bytes=taken.chunk.bytes,
        duplicate=taken.duplicate,
        late=taken.reopened,
    )


async def _store(gateway: Gateway, number: int, form: ChunkForm, digest: str | None) -> SessionChunk:
    """Whole, and on the disk."""
    async with as_file(form.file) as path:
        kind = kind_of(path)
        blob = await gateway.store.put(path, kind)
    for told in (form.sha256, digest_in(digest)):
        if told is not None and told != blob.sha256:
            said = f"the bytes that came have the sha256 {blob.sha256}"
            raise WindmillError("CHECKSUM_MISMATCH", said, "send the chunk again")
    milliseconds = round(form.duration_seconds * 1_000)
    return SessionChunk(number, kind, blob.size, blob.sha256, form.start_ms, milliseconds)


def kind_of(path: Path) -> str:
    """What the chunk is, by its first bytes; recorders of browsers send only one that says it."""
    with path.open("rb") as opened:
        head = opened.read(HEAD_BYTES)
    if not head:
        raise WindmillError("USAGE", "the chunk is empty")
    kind = media_type_of_bytes(head) or CONTINUATION
    if kind.startswith("image/"):
        raise WindmillError("MEDIA_TYPE_UNSUPPORTED", "the chunk is a picture")
    return kind


def digest_in(header: str | None) -> str | None:
    """The SHA-256 of Content-Digest (RFC 9530) in hexadecimal digits; None without one."""
    found = _SHA256.search(header or "")
    if found is None:
        return None
    try:
        return base64.b64decode(found[1], validate=True).hex()
    except (binascii.Error, ValueError):
        raise WindmillError("USAGE", "Content-Digest has no SHA-256 in Base64") from None
