"""A document that a job has made, read whole for those who look at it."""

from typing import Any

import orjson

from windmill.storage.artifacts.store import ArtifactStore


async def read_stored_json(store: ArtifactStore, key: str, size: int) -> Any:  # noqa: ANN401 - any JSON
    """None if it is gone, or is no JSON."""
    if await store.find(key) is None:
        return None
    pieces = [piece async for piece in store.read_range(key, 0, size)]
    try:
        return orjson.loads(b"".join(pieces))
    except orjson.JSONDecodeError:
        return None
