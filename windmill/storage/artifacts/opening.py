"""Opens the store that ARTIFACTS_URL names."""

from typing import TYPE_CHECKING, cast

from windmill.core.bucket_client import open_store
from windmill.core.setting_parts import ArtifactSettings
from windmill.kernels.net.store_urls import StoreUrl
from windmill.storage.artifacts.bucket import BucketStore
from windmill.storage.artifacts.folder import FolderStore
from windmill.storage.artifacts.store import ArtifactStore

if TYPE_CHECKING:
    from windmill.core.bucket_client import BucketClient

SECONDS, TRIES = 60.0, 4
"""For one request; a file of any size is many of them."""


def open_artifact_store(settings: ArtifactSettings, seconds: float = SECONDS, tries: int = TRIES) -> ArtifactStore:
    """The folder or bucket of this fleet; neither is touched yet."""
    place = settings.artifacts_url
    if not isinstance(place, StoreUrl):
        return FolderStore(place)
    # The setting takes no WebDAV server, which is the one kind of store that is no bucket.
    return BucketStore(cast("BucketClient", open_store(settings, place, seconds, tries)), place)
