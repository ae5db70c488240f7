"""The rows of artifacts in memory, in place of the table."""

from collections.abc import AsyncIterator

from windmill.storage.artifacts.store import StoredBlob
from windmill.storage.artifacts.sweep import RecordedBlob


class FakeArtifactRows:
    """Size by key."""

    def __init__(self, *blobs: StoredBlob) -> None:
        self.sizes = {blob.key: blob.size for blob in blobs}

    async def recorded(self) -> AsyncIterator[RecordedBlob]:
        for key in sorted(self.sizes):
            yield RecordedBlob(key, self.sizes[key])

    async def is_recorded(self, key: str) -> bool:
        return key in self.sizes
