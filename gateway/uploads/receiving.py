"""A piece of a file as it comes in."""

import asyncio
import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import IO

from starlette.requests import ClientDisconnect

from windmill.core.errors import WindmillError
from windmill.kernels.media.media_type import HEAD_BYTES, media_type_of_bytes
from windmill.storage.artifacts.files import explained_disk_errors

_AT_ONCE = 1024 * 1024


async def receive_piece(stream: AsyncIterator[bytes], target: IO[bytes], offset: int, length: int) -> int:
    """Append what comes, up to the end or a cut, and tell where that is. Raises PAYLOAD_TOO_LARGE at the first byte
    beyond the length, and MEDIA_TYPE_UNSUPPORTED at once if the file begins as nothing that can be used."""
    held = bytearray()
    at, looked = offset, offset > 0
    write = partial(_write, target)
    try:
        async for data in stream:
            held += data
            if at + len(held) > length:
                raise WindmillError("PAYLOAD_TOO_LARGE", f"the file was to have {length:,} bytes, and more came")
            if not looked and len(held) >= min(HEAD_BYTES, length):
                must_be_known(bytes(held))
                looked = True
            if len(held) >= _AT_ONCE:
                at += await asyncio.to_thread(write, bytes(held))
                held.clear()
    except ClientDisconnect:
        pass
    at += await asyncio.to_thread(write, bytes(held))
    await asyncio.to_thread(_sync, target)
    return at


def _write(target: IO[bytes], data: bytes) -> int:
    with explained_disk_errors(Path(target.name).parent):
        return target.write(data)


def _sync(target: IO[bytes]) -> None:
    with explained_disk_errors(Path(target.name).parent):
        target.flush()
        os.fsync(target.fileno())


def must_be_known(head: bytes) -> None:
    if media_type_of_bytes(head[:HEAD_BYTES]) is None:
        raise WindmillError("MEDIA_TYPE_UNSUPPORTED", "the file is neither a picture, nor a video, nor a recording")
