"""The messages between a process and its decoder child: a JSON document and bytes, each with its length before it.

JSON, because what a child says must not be able to harm its parent: a broken decoder may be in a stranger's hands.
"""

import struct
from typing import IO, Any

import orjson

from windmill.core.errors import WindmillError

_LENGTHS = struct.Struct(">IQ")
MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
MAX_BODY_BYTES = 2 * 1024 * 1024 * 1024
OUT_OF_MEMORY = 12
"""The exit status of a child whose memory did not suffice, outside of what decodes."""


def write_frame(pipe: IO[bytes], document: dict[str, Any], body: bytes = b"") -> None:
    head = orjson.dumps(document)
    pipe.write(_LENGTHS.pack(len(head), len(body)) + head)
    pipe.write(body)
    pipe.flush()


def read_frame(pipe: IO[bytes], max_body: int = MAX_BODY_BYTES) -> tuple[dict[str, Any], bytes]:
    """Raises EOFError if the other side has ended, or says what is no frame."""
    head_bytes, body_bytes = _LENGTHS.unpack(_read(pipe, _LENGTHS.size))
    if head_bytes > MAX_DOCUMENT_BYTES or body_bytes > max_body:
        raise EOFError("a frame is too long")
    document = orjson.loads(_read(pipe, head_bytes))
    if not isinstance(document, dict):
        raise EOFError("a frame has no document")
    return document, _read(pipe, body_bytes)


def _read(pipe: IO[bytes], length: int) -> bytes:
    data = pipe.read(length)
    if len(data) != length:
        raise EOFError("the other side has ended")
    return data


def error_as_document(error: WindmillError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "remedy": error.remedy, "retry": error.retry}
