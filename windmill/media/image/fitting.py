"""Makes of an image what a service takes: upright, of a format that it reads, and within its limit on bytes.

Most images are sent as they are. For the others one JPEG serves all services with the same limit, as their calls for an
image come close together.
"""

import asyncio
import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from windmill.core.outcomes import SentImage
from windmill.core.services import Service
from windmill.kernels.media.exif_orientation import UPRIGHT, orientation_of, swaps_sides
from windmill.kernels.media.fingerprint import fingerprint
from windmill.kernels.media.image_header import Format, dimensions, format_of
from windmill.media.image.reencode import Reencoded

FORM_BYTES = 256
"""At least what the form around an image adds to it."""
NEVER_SENT: tuple[Format, ...] = ("HEIC", "AVIF")
"""Formats that no service reads."""
REMEMBERED_BYTES = 16 * 1024 * 1024


class Encoder(Protocol):
    """The part of the decoder that makes JPEGs."""

    async def reencode(self, image: bytes, max_bytes: int) -> Reencoded: ...


@dataclass(frozen=True, slots=True)
class _Why:
    """Why a file is not sent as it is."""

    form: Format | None
    orientation: int
    turn: bool
    convert: bool
    shrink: bool

    def __bool__(self) -> bool:
        return self.turn or self.convert or self.shrink


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
        mark = fingerprint(image)
        why = _why_not_as_it_is(service, image, shrinks=self._shrinks)
        if not why:
            return SentImage(image, _note(image, why.orientation), mark)
        made = await self._reencoded(image, service.max_upload_bytes - FORM_BYTES)
        return SentImage(made.jpeg, _note_of_jpeg(made, why), mark)

    async def _reencoded(self, image: bytes, max_bytes: int) -> Reencoded:
        key = hashlib.blake2b(image, digest_size=16).digest(), max_bytes
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


def _why_not_as_it_is(service: Service, image: bytes, *, shrinks: bool) -> _Why:
    form, orientation = format_of(image), orientation_of(image)
    return _Why(
        form,
        orientation,
        turn=orientation != UPRIGHT and service.exif_orientation == "apply",
        convert=form in NEVER_SENT,
        shrink=shrinks and len(image) + FORM_BYTES > service.max_upload_bytes,
    )


def _note(image: bytes, orientation: int) -> str | None:
    """For a turned image that was sent as it is, to a service that turns it: which sizes its boxes are in."""
    size = dimensions(image)
    if orientation == UPRIGHT or size is None:
        return None
    width, height = reversed(size) if swaps_sides(orientation) else size
    return _json({"width": width, "height": height, "orientation": orientation})


def _note_of_jpeg(made: Reencoded, why: _Why) -> str:
    (width, height), (sent_width, sent_height) = made.image_size, made.size
    reasons = [name for name in ("turn", "convert", "shrink") if getattr(why, name)]
    sent = {"width": sent_width, "height": sent_height, "bytes": len(made.jpeg), "from": why.form, "why": reasons}
    return _json({"width": width, "height": height, "orientation": why.orientation, "sent": sent})


def _json(document: dict[str, Any]) -> str:
    return orjson.dumps(document).decode()
