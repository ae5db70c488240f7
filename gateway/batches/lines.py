"""JSON lines as items of a batch, read as they come."""

from collections.abc import AsyncIterator

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from gateway.batches.shapes import BatchItemBody
from windmill.core.errors import WindmillError
from windmill.operate.batches.asking import MOST_ITEMS

MAX_LINE_BYTES = 1_048_576
KINDS = ("application/x-ndjson", "application/jsonl")


async def items_of_lines(request: Request) -> AsyncIterator[BatchItemBody]:
    """Each line as an item; raises CONTRACT_MISMATCH for the first one that is none."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in KINDS:
        raise WindmillError("MEDIA_TYPE_UNSUPPORTED", f"send the lines as {KINDS[0]}")
    number = 0
    async for line in _lines(request.stream()):
        number += 1
        if number > MOST_ITEMS:
            raise WindmillError("USAGE", f"a batch has at most {MOST_ITEMS:,} items")
        yield _item(line, number)


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if line.strip():
                yield line
        if len(rest) > MAX_LINE_BYTES:
            raise WindmillError("PAYLOAD_TOO_LARGE", f"a line has more than {MAX_LINE_BYTES:,} bytes")
    if rest.strip():
        yield rest


def _item(line: bytes, number: int) -> BatchItemBody:
    try:
        return BatchItemBody.model_validate_json(line)
    except ValidationError as error:
        raise RequestValidationError(
            [{**one, "loc": ("body", number, *one["loc"])} for one in error.errors(include_url=False)]
        ) from error
