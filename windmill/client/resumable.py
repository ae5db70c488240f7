"""How a large file is sent in pieces: pure, and shared by both clients, which do each request, or wait, as they are
told, and tell what came of it."""

import base64
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import httpx

from windmill.client.calls import Call
from windmill.core.errors import WindmillError

RESUMABLE_FROM = 32 * 1024 * 1024
"""Larger files are sent so."""
PIECE_BYTES = 16 * 1024 * 1024
TRIES, TRIES_AT_THE_END = 8, 60
"""Without a single byte that came through. Once all is there, the gateway may take minutes to store a large file."""
_HEADERS = {"Tus-Resumable": "1.0.0"}


@dataclass(frozen=True)
class Rest:
    """Wait for a moment."""

    seconds: float


Sending = Generator[Call | Rest, httpx.Response | WindmillError | None, str]
"""Is sent the answer to each request, or the error; returns the id of the asset."""


def sending(path: Path, piece_bytes: int = PIECE_BYTES) -> Sending:
    """Send a file whatever happens to connections meanwhile. Raises WindmillError if nothing gets through any more."""
    length = path.stat().st_size
    begun = yield from _asked(_begin(path.name, length))
    place = begun.headers["location"]
    offset, failed = 0, 0
    with path.open("rb") as opened:
        while True:
            opened.seek(offset)
            answer = yield _piece(place, offset, opened.read(piece_bytes))
            if isinstance(answer, httpx.Response):
                offset, failed = int(answer.headers["upload-offset"]), 0
                if offset >= length:
                    return str(answer.headers["location"]).rpartition("/")[2]
                continue
            assert answer
            failed += 1
            most = TRIES if offset < length else TRIES_AT_THE_END
            if failed >= most or answer.code not in ("SERVICE_UNREACHABLE", "CONFLICT"):
                raise answer
            yield Rest(min(0.25 * 2**failed, 10.0))
            before, offset = offset, (yield from _offset(place, offset))
            failed = 0 if offset > before else failed


def _offset(place: str, known: int) -> Generator[Call | Rest, httpx.Response | WindmillError | None, int]:
    """How much has come, by what the gateway says; as known, if it cannot be reached."""
    answer = yield Call("HEAD", place, headers=_HEADERS)
    if isinstance(answer, WindmillError) and answer.code != "SERVICE_UNREACHABLE":
        raise answer
    return int(answer.headers["upload-offset"]) if isinstance(answer, httpx.Response) else known


def _asked(call: Call) -> Generator[Call | Rest, httpx.Response | WindmillError | None, httpx.Response]:
    answer = yield call
    if isinstance(answer, WindmillError):
        raise answer
    assert answer
    return answer


def _begin(name: str, length: int) -> Call:
    named = base64.b64encode(name.encode("utf-8", "surrogateescape")).decode()
    headers = {**_HEADERS, "Upload-Length": str(length), "Upload-Metadata": f"filename {named}"}
    return Call("POST", "/uploads", headers=headers)


def _piece(place: str, offset: int, content: bytes) -> Call:
    headers = {**_HEADERS, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
    return Call("PATCH", place, headers=headers, content=content)
