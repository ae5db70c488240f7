"""Opens the store that ARTIFACTS_URL names."""

from windmill.core.bucket_client import INSTALL_CLIENT, open_bucket
from windmill.core.errors import WindmillError
from windmill.core.setting_parts import ArtifactSettings
from windmill.kernels.net.store_urls import StoreUrl
from windmill.storage.artifacts.bucket import BucketStore
from windmill.storage.artifacts.folder import FolderStore
from windmill.storage.artifacts.store import ArtifactStore

SECONDS, TRIES = 60.0, 4
"""For one request; a file of any size is many of them."""


def open_artifact_store(settings: ArtifactSettings) -> ArtifactStore:
    """The folder or bucket of this fleet; neither is touched yet."""
    place = settings.artifacts_url
    return _open_bucket(settings, place) if isinstance(place, StoreUrl) else FolderStore(place)


def _open_bucket(settings: ArtifactSettings, place: StoreUrl) -> BucketStore:
    try:
        bucket = open_bucket(settings, place.bucket, SECONDS, TRIES)
    except ImportError as error:
        said = f"ARTIFACTS_URL={place} needs obstore, which is not installed"
        raise WindmillError("CONFIG_INVALID", said, INSTALL_CLIENT) from error
    return BucketStore(bucket, place.key, str(place))
