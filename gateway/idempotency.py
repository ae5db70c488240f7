"""The same request again: its key names it, and its digest tells it from another one."""

import hashlib
from typing import Annotated

import orjson
from fastapi import Header

from gateway.shape import Shape

IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=255, description="Names this request: sent again, it "
           "makes nothing a second time. It counts as long as what it made is there."),
]  # fmt: skip
REPLAYED = "Idempotency-Replayed"


def digest_of(route: str, *bodies: Shape) -> str:
    """Equal bodies have equal digests, however they were written. Only a request that has a key needs one."""
    digest = hashlib.sha256(route.encode())
    for body in bodies:
        digest.update(b"\n" + orjson.dumps(body.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS))
    return digest.hexdigest()
