"""Register images, so that producers can submit them: python -m producers.images PATH ...

A PATH is a folder (searched recursively), an image file, a .tar or .zip of images, a URL, a folder or an object of a
store such as s3://bucket/folder, a .txt list of paths and URLs, a .csv table with a column such as image_path or
image_url, a COCO .json, or - for a list on standard input. Images that are already registered are skipped; files that
are not images are reported and skipped.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import orjson
from tqdm import tqdm

from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.media.image.store_reader import StoreReader
from windmill.process.runner import DONE, FAILED, INTERRUPTED, run
from windmill.storage import database
from windmill.submit.batches import batches
from windmill.submit.copies import CopyFinder, file_digest
from windmill.submit.entry_types import EXTENSIONS
from windmill.submit.image_listing import BadEntry, ImageAccess, list_entries
from windmill.submit.registration import BATCH_IMAGES, RegistrationCounts, register_batch

SHOWN_SUFFIXES = 5
# Listing is more patient than a worker is with one image: nobody waits but this command.
STORE_SECONDS, STORE_TRIES = 120.0, 10
ONE_LINE = str.maketrans({"\t": "\\t", "\n": "\\n", "\r": "\\r"})


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m producers.images",
        description=__doc__,
        epilog="exit codes: 0 done, 1 no image was registered or known, 2 wrong usage, 70 a bug of Windmill, "
        "130 interrupted (run it again to continue)",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument(
        "paths", nargs="+", metavar="PATH", help="folder, file, archive, URL, s3://, .txt, .csv, .json or -"
    )
    top.add_argument("--group", metavar="G", help="a name for these images, used to select them later")
    top.add_argument(
        "--bad-list", type=Path, metavar="FILE", help="write every rejected entry to FILE: name, tab, reason"
    )
    top.add_argument(
        "--keep-copies",
        action="store_true",
        help="submit exact copies of registered files too; by default a copy shares the results of its original",
    )
    top.add_argument("--json", action="store_true", help="print the summary as JSON")
    top.add_argument("--quiet", action="store_true", help="show no progress bar")
    return top


async def main(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace) -> int:
    stores = StoreReader(settings, STORE_SECONDS, STORE_TRIES)
    access = ImageAccess(settings.image_root.resolve(), frozenset(settings.image_url_allow), stores)
    # Lazy, but a path that does not exist is reported before anything is registered.
    found = chain.from_iterable([list_entries(path, sys.stdin, access) for path in arguments.paths])
    write_bad(arguments.bad_list, (), mode="w")
    counts = RegistrationCounts()
    async with database.connection(settings, "windmill-images") as connection:
        finder = None if arguments.keep_copies else CopyFinder(connection, file_digest(settings))
        with tqdm(unit=" entries", disable=arguments.quiet or None, dynamic_ncols=True) as bar:
            for batch in batches(found, BATCH_IMAGES):
                write_bad(arguments.bad_list, (entry for entry in batch if isinstance(entry, BadEntry)))
                await register_batch(connection, batch, arguments.group, counts, finder)
                bar.update(len(batch))
                if stop.is_set():
                    break
    print_summary(counts, as_json=arguments.json)
    if stop.is_set():
        return INTERRUPTED
    return DONE if counts.registered or counts.known else FAILED


def write_bad(path: Path | None, bad: Iterable[BadEntry], mode: str = "a") -> None:
    """Append to --bad-list; closed after each batch, so that it can be read meanwhile."""
    if path is None:
        return
    try:
        with path.open(mode, encoding="utf-8") as file:
            file.writelines(f"{entry.name.translate(ONE_LINE)}\t{entry.reason.translate(ONE_LINE)}\n" for entry in bad)
    except OSError as error:
        message = f"--bad-list={path} cannot be written: {error.strerror}"
        raise WindmillError("USAGE", message, "name a file that can be") from error


def print_summary(counts: RegistrationCounts, *, as_json: bool) -> None:
    """Print the summary on standard output and the first bad entries on standard error."""
    for entry in counts.bad:
        sys.stderr.write(f"skipped {entry.name}: {entry.reason}\n")
    if counts.bad_count > len(counts.bad):
        sys.stderr.write(f"skipped {counts.bad_count - len(counts.bad):,} more\n")
    if as_json:
        shown = [{"name": entry.name, "reason": entry.reason} for entry in counts.bad]
        new = {"registered": counts.registered, "copies": counts.copies}
        known = {"known": counts.known, "joined_group": counts.joined}
        bad = {"bad": counts.bad_count, "bad_entries": shown}
        ignored = {"ignored": dict(counts.ignored.most_common())}
        sys.stdout.write(orjson.dumps({**new, **known, **bad, **ignored}, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        sys.stdout.write(_render_summary(counts))


def _render_summary(counts: RegistrationCounts) -> str:
    copies = f" ({counts.copies:,} of them copies, which share the results of their originals)" if counts.copies else ""
    joined = f" ({counts.joined:,} of them new in this group)" if counts.joined else ""
    new, known = f"{counts.registered:,} registered{copies}", f"{counts.known:,} known already{joined}"
    text = f"{new}, {known}, {counts.bad_count:,} bad\n"
    kinds = [f"{suffix or 'no suffix'} {count:,}" for suffix, count in counts.ignored.most_common(SHOWN_SUFFIXES)]
    more = ["..."] if len(counts.ignored) > SHOWN_SUFFIXES else []
    ignored = f"{counts.ignored.total():,} other file(s) ignored ({', '.join(kinds + more)})"
    return f"{text}{ignored}; Windmill reads {' '.join(sorted(EXTENSIONS))}\n" if kinds else text


if __name__ == "__main__":
    parsed = parser().parse_args()
    sys.exit(run(lambda settings, stop: main(settings, stop, parsed)))
