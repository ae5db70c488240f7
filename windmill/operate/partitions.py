"""Partitions of the table `results`, made ahead of the image ids that will need them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.paths import packaged_file
from windmill.core.setting_parts import DatabaseSettings
from windmill.kernels.flow.partitions import IdRange, first_bound, partitions_ahead
from windmill.storage import database
from windmill.storage.migrations import MIGRATE_SECONDS
from windmill.storage.queries import queries

SCRIPTS = packaged_file("sql") / "scale"
MOST_AT_ONCE = 1_000


@dataclass(frozen=True)
class PartitionRequest:
    """`size` is the number of image ids in a partition, `ahead` how many partitions to have ready."""

    size: int
    ahead: int
    convert: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class PartitionOutcome:
    """`converted_until` is where the first partition ends, if the table was converted now."""

    greatest_image_id: int
    converted_until: int | None
    made: list[IdRange]
    dry_run: bool


async def make_partitions(settings: DatabaseSettings, request: PartitionRequest) -> PartitionOutcome:
    """Make the missing partitions; a second call finds nothing to do. Two processes take turns."""
    async with database.connection(settings, "windmill partitions") as connection:
        await connection.execute(queries()["lock_migrations"])
        greatest = int(await connection.fetchval(queries()["greatest_known_image_id"]))
        bound = await _convert(connection, greatest, request)
        end = int(await connection.fetchval(queries()["end_of_partitions"]) or bound or 0)
        todo = partitions_ahead(end, greatest, request.size, request.ahead)
        _must_be_few(todo, greatest)
        for one in [] if request.dry_run else todo:
            await _run_script(connection, "next_partition", queries()["say_range"], one.low, one.high)
    return PartitionOutcome(greatest, bound, todo, request.dry_run)


async def _convert(connection: database.Connection, greatest: int, request: PartitionRequest) -> int | None:
    """Make `results` the first partition unless it is partitioned; where that partition ends.

    Of the three steps only the second takes long, and only the third blocks others.
    """
    if await connection.fetchval(queries()["results_are_partitioned"]):
        return None
    bound = first_bound(greatest, request.size)
    await _must_be_convertible(connection, convert=request.convert)
    if not request.dry_run:
        await _run_script(connection, "bound", queries()["say_bound"], bound)
        try:
            await connection.execute(queries()["validate_results_bound"], timeout=MIGRATE_SECONDS)
            await _run_script(connection, "partition", queries()["say_bound"], bound)
        except BaseException:
            # The constraint would go on refusing rows, with no partition to take them.
            await connection.execute(queries()["forget_results_bound"])
            raise
    return bound


async def _must_be_convertible(connection: database.Connection, *, convert: bool) -> None:
    if not convert:
        raise WindmillError(
            "USAGE", "results is one table, not a partitioned one", "add --convert; first read docs/scaling.md"
        )
    views = [row["name"] for row in await connection.fetch(queries()["views_of_results"])]
    if views:
        remedy = "drop them, and create them anew afterwards"
        raise WindmillError("CONFLICT", f"views would go on to read the table of before: {', '.join(views)}", remedy)


async def _run_script(connection: database.Connection, script: str, statement: str, *numbers: int) -> None:
    """Run a script of sql/scale, which reads the numbers that `statement` stores for it."""
    async with connection.transaction():
        await connection.execute(statement, *numbers)
        await connection.execute((SCRIPTS / f"{script}.sql").read_text(encoding="utf-8"), timeout=MIGRATE_SECONDS)


def _must_be_few(todo: Sequence[IdRange], greatest: int) -> None:
    if len(todo) > MOST_AT_ONCE:
        raise WindmillError(
            "CONFLICT",
            f"{len(todo):,} partitions would be made, because there is an image {greatest:,}",
            "raise --size; or correct that image's id, if it is a mistake",
        )


def render_partitions_json(outcome: PartitionOutcome) -> dict[str, Any]:
    return {
        "greatest_image_id": outcome.greatest_image_id,
        "converted_until": outcome.converted_until,
        "made": [one._asdict() for one in outcome.made],
    }


def render_partitions_text(outcome: PartitionOutcome) -> str:
    would, made = ("would be", "to make") if outcome.dry_run else ("is", "made")
    lines = [f"the greatest image id is {outcome.greatest_image_id:,}"]
    if outcome.converted_until:
        lines.append(f"results {would} partitioned now; the first partition ends at {outcome.converted_until:,}")
    lines += [f"{made}: image ids {one.low:,} to {one.high - 1:,}" for one in outcome.made]
    lines += [] if outcome.made else ["all partitions are there"]
    return "".join(f"{line}\n" for line in lines)
