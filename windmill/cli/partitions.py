"""python -m windmill partitions: split the table `results` into partitions of manageable size."""

import argparse
import asyncio
from collections.abc import Sequence
from typing import Any

from windmill.cli.options import Commands, add_json, at_once, say, whole
from windmill.core.errors import WindmillError
from windmill.core.paths import packaged_file
from windmill.core.setting_parts import DatabaseSettings
from windmill.kernels.flow.partitions import IdRange, first_bound, partitions_ahead
from windmill.process.runner import DONE
from windmill.storage import database
from windmill.storage.migrations import MIGRATE_SECONDS
from windmill.storage.queries import queries

SCRIPTS = packaged_file("sql") / "scale"
MOST_AT_ONCE = 1_000
DESCRIPTION = """\
Creates the next partitions of the table results, ahead of the greatest image id. Run it once a day, or after
registering images. Existing partitions stay unchanged, and a second run does nothing. Rows whose partition did not
exist yet are in results_rest, and move when it is created.

The first time, --convert makes results a partitioned table. The existing table becomes the first partition without
copying. It is read once while everything keeps running; then all writers wait for a moment.
"""


def add_to(commands: Commands) -> None:
    add = commands.add_parser(
        "partitions",
        help="split the table results into partitions of manageable size",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add.add_argument(
        "--size", type=whole(1_000), default=1_000_000, metavar="N", help="images per partition (%(default)s)"
    )
    add.add_argument(
        "--ahead",
        type=whole(1, MOST_AT_ONCE),
        default=10,
        metavar="N",
        help="partitions to create in advance (%(default)s)",
    )
    add.add_argument("--convert", action="store_true", help="make results a partitioned table if it is not one yet")
    add.add_argument("--dry-run", action="store_true", help="print what would be done; change nothing")
    add_json(add)
    add.set_defaults(start=at_once(run_partitions))


def run_partitions(settings: DatabaseSettings, arguments: argparse.Namespace) -> int:
    document = asyncio.run(_spread(settings, arguments))
    say(document, _told(document, dry_run=arguments.dry_run), as_json=arguments.json)
    return DONE


async def _spread(settings: DatabaseSettings, arguments: argparse.Namespace) -> dict[str, Any]:
    async with database.connection(settings, "windmill partitions") as connection:
        await connection.execute(queries()["lock_migrations"])
        greatest = int(await connection.fetchval(queries()["greatest_known_image_id"]))
        bound = await _converted(connection, greatest, arguments)
        end = int(await connection.fetchval(queries()["end_of_partitions"]) or bound or 0)
        todo = partitions_ahead(end, greatest, arguments.size, arguments.ahead)
        _must_be_few(todo, greatest)
        for one in [] if arguments.dry_run else todo:
            await _run(connection, "next_partition", queries()["say_range"], one.low, one.high)
        return {"greatest_image_id": greatest, "converted_until": bound, "made": [one._asdict() for one in todo]}


async def _converted(connection: database.Connection, greatest: int, arguments: argparse.Namespace) -> int | None:
    """Where the first partition ends, if it is made now. Three steps, of which only the second takes long, and only the
    third keeps anybody waiting."""
    if await connection.fetchval(queries()["results_are_partitioned"]):
        return None
    bound = first_bound(greatest, arguments.size)
    await _may_be_converted(connection, wanted=arguments.convert)
    if not arguments.dry_run:
        await _run(connection, "bound", queries()["say_bound"], bound)
        try:
            await connection.execute(queries()["validate_results_bound"], timeout=MIGRATE_SECONDS)
            await _run(connection, "partition", queries()["say_bound"], bound)
        except BaseException:
            # It would go on to refuse rows, with no partition to take them.
            await connection.execute(queries()["forget_results_bound"])
            raise
    return bound


async def _may_be_converted(connection: database.Connection, *, wanted: bool) -> None:
    if not wanted:
        raise WindmillError(
            "USAGE", "results is one table, not a partitioned one", "add --convert; first read docs/scaling.md"
        )
    views = [row["name"] for row in await connection.fetch(queries()["views_of_results"])]
    if views:
        remedy = "drop them, and create them anew afterwards"
        raise WindmillError("CONFLICT", f"views would go on to read the table of before: {', '.join(views)}", remedy)


async def _run(connection: database.Connection, script: str, saying: str, *numbers: int) -> None:
    """A script of sql/scale, told in the statement `saying` of these numbers."""
    async with connection.transaction():
        await connection.execute(saying, *numbers)
        await connection.execute((SCRIPTS / f"{script}.sql").read_text(encoding="utf-8"), timeout=MIGRATE_SECONDS)


def _must_be_few(todo: Sequence[IdRange], greatest: int) -> None:
    if len(todo) > MOST_AT_ONCE:
        raise WindmillError(
            "CONFLICT",
            f"{len(todo):,} partitions would be made, because there is an image {greatest:,}",
            "raise --size; or correct that image's id, if it is a mistake",
        )


def _told(document: dict[str, Any], *, dry_run: bool) -> str:
    would, made = ("would be", "to make") if dry_run else ("is", "made")
    lines = [f"the greatest image id is {document['greatest_image_id']:,}"]
    if document["converted_until"]:
        lines.append(f"results {would} partitioned now; the first partition ends at {document['converted_until']:,}")
    lines += [f"{made}: image ids {one['low']:,} to {one['high'] - 1:,}" for one in document["made"]]
    lines += [] if document["made"] else ["all partitions are there"]
    return "".join(f"{line}\n" for line in lines)
