"""Registering images: a batch of entries in one transaction, and what became of them."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from windmill.storage.database import Connection
from windmill.storage.queries import queries
from windmill.submit.copies import Copies, CopyFinder
from windmill.submit.entry_types import BadEntry, Entry, FoundImage, IgnoredFile

BATCH_IMAGES = 1000
MAX_SHOWN_BAD = 20
OnRegistered = Callable[[Connection, Mapping[str, int]], Awaitable[None]]
"""Called with the ids of new images by location, in the transaction that makes them."""
COLUMNS = ("image_filename", "image_path", "image_url", "image_group", "width", "height", "sample")


@dataclass
class RegistrationCounts:
    """What became of the entries; `bad` are the first that were bad, `bad_count` is how many there were. Of the new
    ones `copies` are copies, of the known ones `joined` came into a group."""

    registered: int = 0
    copies: int = 0
    known: int = 0
    joined: int = 0
    bad: list[BadEntry] = field(default_factory=list)
    bad_count: int = 0
    ignored: Counter[str] = field(default_factory=Counter)


async def register_batch(
    connection: Connection,
    batch: Sequence[Entry],
    group: str | None,
    counts: RegistrationCounts,
    finder: CopyFinder | None = None,
    *,
    on_registered: OnRegistered | None = None,
) -> Mapping[str, int]:
    """Register one batch, and count what became of it; without a `finder` copies are images like others. The ids of
    those that are new, by location."""
    new: Mapping[str, int] = {}
    good = [replace(entry, image_group=group or entry.image_group) for entry in batch if isinstance(entry, FoundImage)]
    bad = [entry for entry in batch if isinstance(entry, BadEntry)]
    if finder and any(entry.sample is not None for entry in good):
        async with finder.alone():
            new = await _register(connection, good, await finder.look(good), counts, on_registered)
    elif good:
        new = await _register(connection, good, Copies(), counts, on_registered)
    counts.bad_count += len(bad)
    counts.bad += bad[: MAX_SHOWN_BAD - len(counts.bad)]
    counts.ignored.update(entry.suffix for entry in batch if isinstance(entry, IgnoredFile))
    return new


async def _register(
    connection: Connection,
    good: Sequence[FoundImage],
    copies: Copies,
    counts: RegistrationCounts,
    on_registered: OnRegistered | None,
) -> Mapping[str, int]:
    """Originals first, as their copies name them."""
    grouped = [(entry.location, entry.image_group) for entry in good if entry.image_group]
    originals = [entry for entry in good if not copies.has(entry.location)]
    others = [entry for entry in good if copies.has(entry.location)]
    async with connection.transaction():
        new = await _insert(connection, originals, copies.digests, {})
        named = {location: new[first] for location, first in copies.new.items() if first in new}
        copied = await _insert(connection, others, copies.digests, {**copies.registered, **named})
        joined = (
            await connection.fetchval(queries()["join_groups"], *map(list, zip(*grouped, strict=True)))
            if grouped
            else 0
        )
        if on_registered and (new or copied):
            await on_registered(connection, {**new, **copied})
    counts.registered += len(new) + len(copied)
    counts.copies += len(copied)
    counts.known += len(good) - len(new) - len(copied)
    counts.joined += joined
    return {**new, **copied}


async def _insert(
    connection: Connection, rows: Sequence[FoundImage], digests: Mapping[str, bytes], originals: Mapping[str, int]
) -> dict[str, int]:
    """The ids of those that are new, by location."""
    if not rows:
        return {}
    columns: list[list[object]] = [[getattr(row, name) for row in rows] for name in COLUMNS]
    columns += [[known.get(row.location) for row in rows] for known in (digests, originals)]
    found = await connection.fetch(queries()["register_images"], *columns)
    return {row["location"]: row["image_id"] for row in found}
