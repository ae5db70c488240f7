"""Many writers and many recomputers at once, with connections that are killed at random; and what is left of it."""

import asyncio
import contextlib
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg

from tests.waiting import at_work
from windmill.core.errors import DataRefused, WindmillError
from windmill.core.settings import Settings
from windmill.derive.recompute import DerivedStage
from windmill.storage import database
from windmill.storage.database import Pool
from windmill.storage.transactions import transaction

RECOMPUTERS = 12
WRITERS = 8
SERVICES = ("yolov8", "rtdetr", "detectron2", "clip")
NAME = "stress"
LABELS = ("dog", "cat", "person", "car")

SAVE = """
INSERT INTO results AS kept (image_id, service, status, data) VALUES ($1, $2, 'success', $3)
ON CONFLICT (image_id, service) DO UPDATE
SET result_id = nextval('result_ids'), data = excluded.data, result_created = clock_timestamp()
"""
MakeRound = Callable[[Pool, Settings], Callable[[], Awaitable[int]]]
"""Makes what a recomputer does again and again: deal with some images, and say with how many."""


@dataclass
class Happened:
    """What went on in a run."""

    rounds: int
    killed: int


async def stressed(
    rows: asyncpg.Connection,
    settings: Settings,
    make: MakeRound,
    images: int,
    *,
    kills: bool,
    seed: int = 1,
    held_seconds: float = 0.03,
) -> Happened:
    """Run writers and recomputers until all is written and nothing is left to do."""
    written, stop = asyncio.Event(), asyncio.Event()
    rounds: list[int] = []
    async with asyncio.TaskGroup() as tasks:
        killer = tasks.create_task(_kill(rows, stop, random.Random(seed))) if kills else None
        for _ in range(RECOMPUTERS):
            tasks.create_task(_recompute(settings, make, written, stop, rounds))
        await write_all(settings, images, seed, held_seconds)
        written.set()
    return Happened(len(rounds), killer.result() if killer else 0)


async def write_all(settings: Settings, images: int, seed: int, held_seconds: float) -> None:
    """Every service answers about every image once, and a third of them once more, in any order. A third of the rows
    are committed only up to so many seconds after they were stamped."""
    dice = random.Random(seed)
    todo = [(image_id, service) for image_id in range(1, images + 1) for service in SERVICES]
    todo += dice.sample(todo, len(todo) // 3)
    dice.shuffle(todo)
    async with database.pool(settings, "writers", max_size=WRITERS) as pool:
        writers = (_write(pool, todo, random.Random(seed + number), held_seconds) for number in range(WRITERS))
        await asyncio.gather(*writers)


async def _write(pool: Pool, todo: list[tuple[int, str]], dice: random.Random, held_seconds: float) -> None:
    while todo:
        image_id, service = todo.pop()
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(SAVE, image_id, service, reply(service, dice))
            if dice.random() < 0.3:  # rows become visible in another order than the one in which they are stamped
                await at_work(dice.random() * held_seconds)  # so long a row waits for its commit


def reply(service: str, dice: random.Random) -> str:
    """A few objects at a few places, so that services often agree."""
    predictions = []
    for place in dice.sample(range(4), dice.randrange(4)):
        label = LABELS[place] if dice.random() < 0.8 else dice.choice(LABELS)
        one: dict[str, Any] = {"label": label, "confidence": round(dice.uniform(0.3, 0.99), 3)}
        if service != "clip":
            x = 100 * place + dice.randrange(8)
            one["bbox"] = {"x": x, "y": dice.randrange(8), "width": 80, "height": 120}
        predictions.append(one)
    return json.dumps({"service": service, "status": "success", "predictions": predictions})


async def _recompute(
    settings: Settings, make: MakeRound, written: asyncio.Event, stop: asyncio.Event, rounds: list[int]
) -> None:
    """Round after round; a connection that is killed costs its round and nothing else. Ends when there was nothing to
    do for a while after the last row was written."""
    idle = 0.0
    async with database.pool(settings, NAME, max_size=1) as pool:
        deal_with_some = make(pool, settings)
        while idle < 0.5:
            found = 1
            with contextlib.suppress(WindmillError, DataRefused):
                found = await deal_with_some()
            rounds.append(found)
            if not found:
                await at_work(0.02)  # the pace of a stage that has nothing to do
            idle = idle + 0.02 if written.is_set() and not found else 0.0
    stop.set()


async def _kill(rows: asyncpg.Connection, stop: asyncio.Event, dice: random.Random) -> int:
    """A connection of a recomputer ends in the middle of whatever it does, some ten times a second."""
    killed = 0
    while not stop.is_set():
        await asyncio.sleep(dice.uniform(0.02, 0.2))  # at any moment: that is the stress
        pids = await rows.fetch(
            "SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()", NAME
        )
        if pids:
            await rows.execute("SELECT pg_terminate_backend($1)", dice.choice(pids)["pid"])
            killed += 1
    return killed


def naive(derived: DerivedStage[Any, Any], pool: Pool, settings: Settings, table: str) -> Callable[[], Awaitable[int]]:
    """What everybody writes first: an image is stale when its newest result is newer than what was made of it."""
    find = (
        f"SELECT r.image_id FROM results AS r LEFT JOIN {table} AS d USING (image_id)"
        " GROUP BY r.image_id HAVING max(r.result_created) > coalesce(max(d.created), '-infinity') LIMIT 20"
    )

    async def round_of_it() -> int:
        async with transaction(pool, settings) as connection:
            ids = sorted(row["image_id"] for row in await connection.fetch(find))
            if ids:
                sources = await derived.read(connection, ids)
                await derived.write(connection, {one: derived.compute(source) for one, source in sources.items()})
        return len(ids)

    return round_of_it


async def wrong_images(
    derived: DerivedStage[Any, Any], rows: asyncpg.Connection, images: int, right: Callable[[Any], bool]
) -> list[int]:
    """The images whose derived rows are not what the kernel makes of the rows of now."""
    sources: Mapping[int, Any] = await derived.read(rows, list(range(1, images + 1)))
    return [image_id for image_id, source in sources.items() if not right(derived.compute(source))]


async def ask_for_half(rows: asyncpg.Connection, images: int) -> None:
    """Half of the images were submitted by a producer, so that more is expected of them; of the others nobody knows."""
    await rows.execute(
        "INSERT INTO runs (services, selection, first_image_id, until_image_id, last_image_id)"
        " VALUES ($1, 'new', 0, $2, $2)",
        list(SERVICES),
        images // 2,
    )
