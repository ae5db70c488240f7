"""Register images, so that producers can submit them: python -m producers.images PATH ...

A PATH is a folder (searched recursively), an image file, a URL, a .txt list of paths and URLs, a .csv table with a
column such as image_path or image_url, a COCO .json, or - for a list on standard input. Images that are already
registered are skipped; files that are not images are reported and skipped.
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
from windmill.process.runner import DONE, FAILED, INTERRUPTED, run
from windmill.storage import database
from windmill.submit.batches import batches
from windmill.submit.entries import Bad, Border, entries
from windmill.submit.registering import BATCH_IMAGES, Tally, register

SHOWN_SUFFIXES = 5
ONE_LINE = str.maketrans({"\t": "\\t", "\n": "\\n", "\r": "\\r"})


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m producers.images",
        description=__doc__,
        epilog="exit codes: 0 done, 1 no image was registered or known, 2 wrong usage, 70 a bug of Windmill, "
        "130 interrupted (run it again to continue)",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("paths", nargs="+", metavar="PATH", help="folder, file, URL, .txt, .csv, .json or -")
    top.add_argument("--group", metavar="G", help="a name for these images, used to select them later")
    top.add_argument(
        "--bad-list", type=Path, metavar="FILE", help="write every rejected entry to FILE: name, tab, reason"
    )
    top.add_argument("--json", action="store_true", help="print the summary as JSON")
    top.add_argument("--quiet", action="store_true", help="show no progress bar")
    return top


async def main(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace) -> int:
    border = Border(settings.image_root.resolve(), frozenset(settings.image_url_allow))
    # One after another and lazily, but a path that does not exist is told before anything is registered.
    found = chain.from_iterable([entries(path, sys.stdin, border) for path in arguments.paths])
    write_bad(arguments.bad_list, (), mode="w")
    tally = Tally()
    async with database.connection(settings, "windmill-images") as connection:
        with tqdm(unit=" entries", disable=arguments.quiet or None, dynamic_ncols=True) as bar:
            for batch in batches(found, BATCH_IMAGES):
                write_bad(arguments.bad_list, (entry for entry in batch if isinstance(entry, Bad)))
                await register(connection, batch, arguments.group, tally)
                bar.update(len(batch))
                if stop.is_set():
                    break
    report(tally, as_json=arguments.json, group=arguments.group)
    if stop.is_set():
        return INTERRUPTED
    return DONE if tally.registered or tally.known else FAILED


def write_bad(path: Path | None, bad: Iterable[Bad], mode: str = "a") -> None:
    """Add to the list the user asked for; closed each time, so that what is found can be read at once."""
    if path is None:
        return
    try:
        with path.open(mode, encoding="utf-8") as file:
            file.writelines(f"{entry.name.translate(ONE_LINE)}\t{entry.reason.translate(ONE_LINE)}\n" for entry in bad)
    except OSError as error:
        message = f"--bad-list={path} cannot be written: {error.strerror}"
        raise WindmillError("USAGE", message, "name a file that can be") from error


def report(tally: Tally, *, as_json: bool, group: str | None = None) -> None:
    """The summary on standard output; what was bad, as far as a person reads, on standard error."""
    for entry in tally.bad:
        sys.stderr.write(f"skipped {entry.name}: {entry.reason}\n")
    if tally.bad_count > len(tally.bad):
        sys.stderr.write(f"skipped {tally.bad_count - len(tally.bad):,} more\n")
    if as_json:
        shown = [{"name": entry.name, "reason": entry.reason} for entry in tally.bad]
        counts = {"registered": tally.registered, "known": tally.known, "bad": tally.bad_count, "bad_entries": shown}
        ignored = {"ignored": dict(tally.ignored.most_common())}
        sys.stdout.write(orjson.dumps(counts | ignored, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        sys.stdout.write(_summary(tally, group))


def _summary(tally: Tally, group: str | None) -> str:
    kept = " (their group stays as it was)" if group and tally.known else ""
    counts = f"{tally.registered:,} registered, {tally.known:,} known already{kept}, {tally.bad_count:,} bad\n"
    kinds = [f"{suffix or 'no suffix'} {count:,}" for suffix, count in tally.ignored.most_common(SHOWN_SUFFIXES)]
    more = ["..."] if len(tally.ignored) > SHOWN_SUFFIXES else []
    ignored = f"{tally.ignored.total():,} other file(s) ignored ({', '.join(kinds + more)})\n"
    return counts + ignored if kinds else counts


if __name__ == "__main__":
    parsed = parser().parse_args()
    sys.exit(run(lambda settings, stop: main(settings, stop, parsed)))
