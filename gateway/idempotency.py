"""The same request again: its key names it, and its digest tells it from another one."""

import hashlib
from typing import Annotated

import orjson
from fastapi import Header

from gateway.shape import Shape

IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=255, description="Names this request: sent again, it "
           "makes no second job. It counts as long as the job is there."),
]  # fmt: skip
REPLAYED = "Idempotency-Replayed"


def digest_of(route: str, body: Shape) -> str:
    """Equal bodies have equal digests, however they were written."""
    document = orjson.dumps(body.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(route.encode() + b"\n" + document).hexdigest()
