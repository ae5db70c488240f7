"""A small picture of what a job has made."""

import asyncio
import io
import uuid
from typing import TYPE_CHECKING

from windmill.core.errors import WindmillError
from windmill.jobs.access import JobAccess
from windmill.media.image.decode_check import open_image
from windmill.operate.jobs.outlines import MadeFile, list_made_files
from windmill.storage.artifacts.store import ArtifactStore, blob_key

if TYPE_CHECKING:
    from PIL.Image import Image

THUMBNAIL_TYPE = "image/jpeg"
SIDE = 320
QUALITY = 85
MOST_PIXELS = 40_000_000
MOST_BYTES = 64 * 1024 * 1024
"""A larger file is not read into memory for this."""
_NAMED = ("thumb", "poster")


async def thumbnail_of(access: JobAccess, store: ArtifactStore, job_id: uuid.UUID, principal: str | None) -> bytes:
    """A JPEG; raises NOT_FOUND if the job has made no picture that can be read."""
    chosen = choose_picture(await list_made_files(access, job_id, principal))
    if chosen is None or chosen.bytes > MOST_BYTES:
        raise WindmillError("NOT_FOUND", "the job has made no picture that a small one can be made of")
    pieces = [piece async for piece in store.read_range(blob_key(chosen.sha256), 0, chosen.bytes)]
    return await asyncio.to_thread(_shrunk, b"".join(pieces))


def choose_picture(files: list[MadeFile]) -> MadeFile | None:
    """One that was made to be a thumbnail, or else the newest picture."""
    pictures = [file for file in files if file.media_type.startswith("image/")]
    named = [file for file in pictures if any(word in file.name for word in _NAMED)]
    return next(iter(named or pictures), None)


def _shrunk(data: bytes) -> bytes:
    try:
        with open_image(data, MOST_PIXELS) as image:
            return _jpeg(image)
    except WindmillError as error:
        raise WindmillError("NOT_FOUND", f"no small picture can be made: {error.message}") from error


def _jpeg(image: "Image") -> bytes:
    image.draft("RGB", (SIDE * 2, SIDE * 2))
    small = image.convert("RGB")
    small.thumbnail((SIDE, SIDE))
    target = io.BytesIO()
    small.save(target, "JPEG", quality=QUALITY)
    return target.getvalue()
