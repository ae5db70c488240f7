"""Makes of an image what a service takes: upright, of a format that it reads, and within its limit on bytes.

Most images are sent as they are. For the others one JPEG serves all services with the same limit, as their calls for an
image come close together.
"""

import asyncio
import hashlib
from collections import OrderedDict
from typing import Any, Protocol

import orjson

from windmill.core.errors import TOO_LARGE_REMEDY, WindmillError
from windmill.core.outcomes import SentImage
from windmill.core.services import Service
from windmill.kernels.media.exif_orientation import UPRIGHT, swaps_sides
from windmill.kernels.media.image_header import Format, dimensions
from windmill.media.image.change import Marks, read_marks
from windmill.media.image.reencode import Reencoded

FORM_BYTES = 256
"""At least what the form around an image adds to it."""
NEVER_SENT: tuple[Format, ...] = ("HEIC", "AVIF")
"""Formats that few services read."""
REMEMBERED_BYTES = 16 * 1024 * 1024


class Encoder(Protocol):
    """The part of the decoder that makes JPEGs."""

    async def reencode(self, image: bytes, max_bytes: int) -> Reencoded: ...


class ImageFitter:
    """Fits images to services, for one process."""

    def __init__(self, encoder: Encoder, *, shrinks: bool = True, remembered_bytes: int = REMEMBERED_BYTES) -> None:
        self._encoder = encoder
        self._shrinks = shrinks
        self._remembered_bytes = remembered_bytes
        self._made: OrderedDict[tuple[bytes, int], Reencoded] = OrderedDict()
        self._being_made: dict[tuple[bytes, int], asyncio.Task[Reencoded]] = {}

    async def fit(self, service: Service, image: bytes) -> SentImage:
        """What to send; raises IMAGE_UNREADABLE or IMAGE_TOO_LARGE."""
        marks = read_marks(image)
        reasons = self._reasons_for_a_jpeg(service, image, marks)
        if not reasons:
            note = None if marks.orientation == UPRIGHT else _note(image, marks.orientation)
            return SentImage(image, note, marks.fingerprint)
        made = await self._reencoded(image, service.max_upload_bytes - FORM_BYTES)
        if made.size != made.image_size and not self._shrinks:
            said = f"as an upright JPEG it is over {service.name}'s {service.max_upload_bytes} bytes"
            raise WindmillError("IMAGE_TOO_LARGE", said, TOO_LARGE_REMEDY, reached=False)
        return SentImage(made.jpeg, _note_of_jpeg(made, marks, reasons), marks.fingerprint)

    def _reasons_for_a_jpeg(self, service: Service, image: bytes, marks: Marks) -> list[str]:
        """None for a file that is sent as it is. Runs for every job."""
        reasons = []
        if marks.orientation != UPRIGHT and service.exif_orientation == "apply":
            reasons.append("turn")
        if marks.form in NEVER_SENT:
            reasons.append("convert")
        if self._shrinks and len(image) + FORM_BYTES > service.max_upload_bytes:
            reasons.append("shrink")
        return reasons

    async def _reencoded(self, image: bytes, max_bytes: int) -> Reencoded:
        # A stranger could forge the fingerprint of another's picture, but not this digest. It takes 10 ms for 12 MB.
        key = await asyncio.to_thread(_digest, image), max_bytes
        if made := self._made.get(key):
            self._made.move_to_end(key)
            return made
        task = self._being_made.get(key)
        if task is None:
            task = self._being_made[key] = asyncio.create_task(self._encoder.reencode(image, max_bytes))
            task.add_done_callback(lambda done: self._remember(key, done))
        # A call that is cancelled must not take the JPEG from the others that wait for it.
        return await asyncio.shield(task)

    def _remember(self, key: tuple[bytes, int], done: asyncio.Task[Reencoded]) -> None:
        self._being_made.pop(key, None)
        if done.cancelled() or done.exception():
            return
        self._made[key] = done.result()
        while self._made and sum(len(made.jpeg) for made in self._made.values()) > self._remembered_bytes:
            self._made.popitem(last=False)


def _digest(image: bytes) -> bytes:
    return hashlib.blake2b(image, digest_size=16).digest()


def _note(image: bytes, orientation: int) -> str | None:
    """For a turned image that was sent as it is, to a service that turns it: which sizes its boxes are in."""
    size = dimensions(image)
    if size is None:
        return None
    width, height = reversed(size) if swaps_sides(orientation) else size
    return _json({"width": width, "height": height, "orientation": orientation})


def _note_of_jpeg(made: Reencoded, marks: Marks, reasons: list[str]) -> str:
    (width, height), (sent_width, sent_height) = made.image_size, made.size
    if made.size != made.image_size and "shrink" not in reasons:
        reasons = [*reasons, "shrink"]
    sent = {"width": sent_width, "height": sent_height, "bytes": len(made.jpeg), "from": marks.form, "why": reasons}
    return _json({"width": width, "height": height, "orientation": marks.orientation, "sent": sent})


def _json(document: dict[str, Any]) -> str:
    return orjson.dumps(document).decode()
