"""Register images, so that producers can submit them: python -m producers.images PATH ...

A PATH is a folder (searched with all below it), an image file, a URL, a .txt list of paths and URLs, a .csv table
with a column such as image_path or image_url, a COCO .json, or - for a list on standard input. What is registered
already is skipped; what is no image is named and skipped.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import orjson
from tqdm import tqdm

from producers.runs import batches
from producers.sources import Bad, Entry, Found, entries
from windmill import database
from windmill.database import Connection
from windmill.queries import queries
from windmill.runner import DONE, FAILED, INTERRUPTED, run
from windmill.settings import Settings

BATCH_IMAGES = 1000
SHOWN_BAD = 20


@dataclass
class Tally:
    """What became of the entries."""

    registered: int = 0
    known: int = 0
    bad: list[Bad] = field(default_factory=list)
    bad_count: int = 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m producers.images",
        description=__doc__,
        epilog="exit codes: 0 done, 1 nothing could be registered, 2 wrong use, 130 interrupted (run it again)",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("paths", nargs="+", metavar="PATH", help="folder, file, URL, .txt, .csv, .json or -")
    top.add_argument("--group", metavar="G", help="a name for these images, to select them by later")
    top.add_argument("--json", action="store_true", help="print the summary as JSON")
    top.add_argument("--quiet", action="store_true", help="no progress bar")
    return top


async def main(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace) -> int:
    root = settings.image_root.resolve()
    # One after another and lazily, but a path that does not exist is told before anything is registered.
    found = chain.from_iterable([entries(path, sys.stdin, root=root) for path in arguments.paths])
    tally = Tally()
    async with database.connection(settings, "windmill-images") as connection:
        with tqdm(unit=" images", disable=arguments.quiet or None, dynamic_ncols=True) as bar:
            for batch in batches(found, BATCH_IMAGES):
                await register(connection, batch, arguments.group, tally)
                bar.update(len(batch))
                if stop.is_set():
                    break
    report(tally, as_json=arguments.json)
    if stop.is_set():
        return INTERRUPTED
    return DONE if tally.registered or tally.known or not tally.bad_count else FAILED


async def register(connection: Connection, batch: Sequence[Entry], group: str | None, tally: Tally) -> None:
    """Register one batch in one statement, and count what became of it."""
    good = [replace(entry, image_group=group or entry.image_group) for entry in batch if isinstance(entry, Found)]
    bad = [entry for entry in batch if isinstance(entry, Bad)]
    new = await connection.fetchval(queries()["register_images"], *_columns(good)) if good else 0
    tally.registered += new
    tally.known += len(good) - new
    tally.bad_count += len(bad)
    tally.bad += bad[: SHOWN_BAD - len(tally.bad)]


def _columns(rows: Sequence[Found]) -> Iterator[list[object]]:
    names = ("image_filename", "image_path", "image_url", "image_group", "width", "height")
    return ([getattr(row, name) for row in rows] for name in names)


def report(tally: Tally, *, as_json: bool) -> None:
    """The summary on standard output; what was bad, as far as a person reads, on standard error."""
    for entry in tally.bad:
        sys.stderr.write(f"skipped {entry.name}: {entry.reason}\n")
    if tally.bad_count > len(tally.bad):
        sys.stderr.write(f"skipped {tally.bad_count - len(tally.bad):,} more\n")
    if as_json:
        shown = [{"name": entry.name, "reason": entry.reason} for entry in tally.bad]
        counts = {"registered": tally.registered, "known": tally.known, "bad": tally.bad_count, "bad_entries": shown}
        sys.stdout.write(orjson.dumps(counts, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        sys.stdout.write(f"{tally.registered:,} registered, {tally.known:,} known already, {tally.bad_count:,} bad\n")


if __name__ == "__main__":
    parsed = parser().parse_args()
    sys.exit(run(lambda settings, stop: main(settings, stop, parsed)))
