"""Registering images: a batch of entries in one statement, and what became of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from windmill.storage.database import Connection
from windmill.storage.queries import queries
from windmill.submit.entries import Bad, Entry, Found, Ignored

BATCH_IMAGES = 1000
SHOWN_BAD = 20


@dataclass
class Tally:
    """What became of the entries; `bad` are the first that were bad, `bad_count` is how many there were."""

    registered: int = 0
    known: int = 0
    bad: list[Bad] = field(default_factory=list)
    bad_count: int = 0
    ignored: Counter[str] = field(default_factory=Counter)


async def register(connection: Connection, batch: Sequence[Entry], group: str | None, tally: Tally) -> None:
    """Register one batch in one statement, and count what became of it."""
    good = [replace(entry, image_group=group or entry.image_group) for entry in batch if isinstance(entry, Found)]
    bad = [entry for entry in batch if isinstance(entry, Bad)]
    new = await connection.fetchval(queries()["register_images"], *_columns(good)) if good else 0
    tally.registered += new
    tally.known += len(good) - new
    tally.bad_count += len(bad)
    tally.bad += bad[: SHOWN_BAD - len(tally.bad)]
    tally.ignored.update(entry.suffix for entry in batch if isinstance(entry, Ignored))


def _columns(rows: Sequence[Found]) -> Iterator[list[object]]:
    names = ("image_filename", "image_path", "image_url", "image_group", "width", "height")
    return ([getattr(row, name) for row in rows] for name in names)
