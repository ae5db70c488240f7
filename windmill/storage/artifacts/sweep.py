"""Comparing a store with the rows that tell what must be in it: both ways, and in little memory.

Both sides come in the order of their keys and are walked side by side, so a million files need no list of them.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol, TypeVar

from windmill.core.errors import WindmillError
from windmill.storage.artifacts.files import RunningDigest
from windmill.storage.artifacts.store import ArtifactStore, StoredEntry, blob_key

V = TypeVar("V")
LEFT_OVER = timedelta(days=1)
"""A file without a row that is younger may get one: a task stores all its files before it notes them."""
Fault = Literal["missing", "other size", "damaged"]


@dataclass(frozen=True, slots=True)
class RecordedBlob:
    """What the rows say of a file that must be in the store."""

    key: str
    size: int


class ArtifactRows(Protocol):
    """The rows of artifacts, as a sweep reads them."""

    def recorded(self) -> AsyncIterator[RecordedBlob]:
        """Every key once, ascending by their bytes (COLLATE "C")."""
        ...

    async def is_recorded(self, key: str) -> bool:
        """Whether a row names this key now."""
        ...


@dataclass(frozen=True, slots=True)
class FaultyArtifact:
    """A file that is not as its row says."""

    key: str
    fault: Fault


@dataclass(slots=True)
class SweepReport:
    """What a sweep found. `young` files have no row yet and may get one; `deleted` had none for long, or would have
    been deleted; `half_written` ones were left by killed programs."""

    stored: int = 0
    deleted: int = 0
    deleted_bytes: int = 0
    young: int = 0
    missing: int = 0
    half_written: int = 0


async def compare(
    store: ArtifactStore, rows: ArtifactRows
) -> AsyncIterator[tuple[StoredEntry | None, RecordedBlob | None]]:
    """Each key with what the store and the rows have of it, in the order of keys."""
    stored, recorded = _ascending(store.list()), _ascending(rows.recorded())
    here, there = await anext(stored, None), await anext(recorded, None)
    while here or there:
        key = min(one.key for one in (here, there) if one)
        mine, theirs = (here if here and here.key == key else None), (there if there and there.key == key else None)
        yield mine, theirs
        here = await anext(stored, None) if mine else here
        there = await anext(recorded, None) if theirs else there


async def sweep(store: ArtifactStore, rows: ArtifactRows, before: datetime, *, delete: bool) -> SweepReport:
    """Delete the files that no row names and that were last written before this time; count what rows name in vain.

    A file is written before its row, so one without a row is left over only if it is old. The rows are asked once more
    before each deletion: the same bytes may have been stored again since the walk began."""
    report = SweepReport(half_written=await store.forget_incoming(before) if delete else 0)
    async for stored, recorded in compare(store, rows):
        report.stored += stored is not None
        report.missing += stored is None
        if stored and not recorded:
            await _left_over(store, rows, stored, before, report, delete=delete)
    return report


async def _left_over(
    store: ArtifactStore, rows: ArtifactRows, entry: StoredEntry, before: datetime, report: SweepReport, *, delete: bool
) -> None:
    now = await store.find(entry.key)
    if now is None or await rows.is_recorded(entry.key):
        return
    if now.modified >= before:
        report.young += 1
        return
    report.deleted += 1
    report.deleted_bytes += now.size
    if delete:
        await store.delete(entry.key)


async def delete_old(store: ArtifactStore, keys: Sequence[str], before: datetime) -> int:
    """Delete those of these files that were last written before this time; how many. A task may be storing the bytes of
    a young one just now, so it is left to a sweep, which asks the rows."""
    deleted = 0
    for key in keys:
        entry = await store.find(key)
        if entry and entry.modified < before:
            await store.delete(key)
            deleted += 1
    return deleted


async def verify(store: ArtifactStore, rows: ArtifactRows, *, content: bool = True) -> AsyncIterator[FaultyArtifact]:
    """Every file that is missing, has another size or, if `content` is to be read, other bytes than its row says."""
    async for stored, recorded in compare(store, rows):
        if recorded and (fault := await _fault(store, stored, recorded, content=content)):
            yield FaultyArtifact(recorded.key, fault)


async def _fault(
    store: ArtifactStore, stored: StoredEntry | None, recorded: RecordedBlob, *, content: bool
) -> Fault | None:
    if stored is None:
        return "missing"
    if stored.size != recorded.size:
        return "other size"
    return "damaged" if content and await _digest(store, stored) != stored.key else None


async def _digest(store: ArtifactStore, entry: StoredEntry) -> str:
    digest = RunningDigest()
    async for piece in store.read_range(entry.key, 0, entry.size):
        digest.update(piece)
    return blob_key(digest.hex())


async def _ascending(entries: AsyncIterator[V]) -> AsyncIterator[V]:
    """The same entries. A listing in another order would make files look left over, so it ends here."""
    last = ""
    async for entry in entries:
        key = str(getattr(entry, "key", ""))
        if key <= last:
            raise WindmillError("DEFECT", f"keys of artifacts come in the wrong order: {key} after {last}")
        last = key
        yield entry
