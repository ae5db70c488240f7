"""Registering images in batches, and counting the result."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from windmill.storage.database import Connection
from windmill.storage.queries import queries
from windmill.submit.image_listing import BadEntry, Entry, FoundImage, IgnoredFile

BATCH_IMAGES = 1000
MAX_SHOWN_BAD = 20


@dataclass
class RegistrationCounts:
    """How many entries were registered, known, bad or ignored; `bad` has the first bad ones, `bad_count` all."""

    registered: int = 0
    known: int = 0
    bad: list[BadEntry] = field(default_factory=list)
    bad_count: int = 0
    ignored: Counter[str] = field(default_factory=Counter)


async def register_batch(
    connection: Connection, batch: Sequence[Entry], group: str | None, counts: RegistrationCounts
) -> None:
    """Register a batch in one statement, and count the result."""
    good = [replace(entry, image_group=group or entry.image_group) for entry in batch if isinstance(entry, FoundImage)]
    bad = [entry for entry in batch if isinstance(entry, BadEntry)]
    new = await connection.fetchval(queries()["register_images"], *_columns(good)) if good else 0
    counts.registered += new
    counts.known += len(good) - new
    counts.bad_count += len(bad)
    counts.bad += bad[: MAX_SHOWN_BAD - len(counts.bad)]
    counts.ignored.update(entry.suffix for entry in batch if isinstance(entry, IgnoredFile))


def _columns(rows: Sequence[FoundImage]) -> Iterator[list[object]]:
    names = ("image_filename", "image_path", "image_url", "image_group", "width", "height")
    return ([getattr(row, name) for row in rows] for name in names)
