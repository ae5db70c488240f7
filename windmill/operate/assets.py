"""Files that somebody sends before a job needs them. `principal` is whose they are, None all."""

import re
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from windmill.core.errors import WindmillError
from windmill.jobs.access import JobAccess
from windmill.kernels.media.media_type import HEAD_BYTES, media_type_of_bytes
from windmill.storage.artifacts.store import ArtifactStore
from windmill.storage.audit_log import Actor, write_audit
from windmill.storage.jobs.rows import StoredArtifact
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

MOST_NAME = 200
_UNFIT = re.compile(r"[\x00-\x1f\x7f]+")


@dataclass(frozen=True)
class Asset:
    """A file that was sent. Its id is its SHA-256."""

    key: str
    principal: str
    name: str
    media_type: str
    bytes: int
    sha256: str
    created_at: datetime

    @property
    def stored(self) -> StoredArtifact:
        """As a job is given it."""
        return StoredArtifact(self.name, self.media_type, self.bytes, self.sha256, self.key)


@dataclass(frozen=True)
class KeptAsset:
    """An asset, and whether it was not there before."""

    asset: Asset
    new: bool


async def keep_asset(access: JobAccess, store: ArtifactStore, who: Actor, name: str, source: Path) -> KeptAsset:
    """Store a file. Raises MEDIA_TYPE_UNSUPPORTED for what is neither a picture, nor a video, nor a recording."""
    with source.open("rb") as opened:
        kind = media_type_of_bytes(opened.read(HEAD_BYTES))
    if kind is None:
        raise WindmillError("MEDIA_TYPE_UNSUPPORTED", "the file is neither a picture, nor a video, nor a recording")
    blob = await store.put(source, kind)
    async with transaction(access.pool, access.settings) as rows:
        values = (blob.key, who.principal, plain_name(name), kind, blob.size, blob.sha256)
        new = await rows.fetchval(queries()["insert_asset"], *values) is not None
        row = await rows.fetchrow(queries()["find_asset"], blob.sha256, who.principal)
        assert row
        asset = Asset(**row)
        if new:
            await write_audit(rows, who, "assets.create", asset.sha256, None, _told(asset))
    return KeptAsset(asset, new)


async def find_asset(access: JobAccess, digest: str, principal: str | None) -> Asset:
    """An asset by its id, or the first digits of it; raises NOT_FOUND."""
    async with transaction(access.pool, access.settings) as rows:
        row = await rows.fetchrow(queries()["find_asset"], digest, principal)
    if row is None:
        raise WindmillError("NOT_FOUND", f"there is no asset {digest}")
    return Asset(**row)


async def remove_asset(access: JobAccess, who: Actor, digest: str, principal: str | None) -> None:
    """Forget an asset: jobs that were given it keep it. `artifacts sweep` removes bytes that nobody has any more."""
    asset = await find_asset(access, digest, principal)
    async with transaction(access.pool, access.settings) as rows:
        await rows.execute(queries()["delete_asset"], asset.key, asset.principal)
        await write_audit(rows, who, "assets.delete", asset.sha256, _told(asset), None)


def plain_name(name: str) -> str:
    """The last part of a name, as much of it as people can read."""
    last = re.split(r"[/\\]", name)[-1]
    return _UNFIT.sub("", last)[-MOST_NAME:].strip() or "file"


def _told(asset: Asset) -> dict[str, object]:
    return {name: value for name, value in asdict(asset).items() if name in ("name", "media_type", "bytes")}
