"""What the fleet itself costs for an image: CPU of each program and server, bytes of each table, and time to votes.

    python bench/fleet.py [--against TREE] [--images N] [--rounds R]

Services cost nothing here: they repeat what the stand-ins said of an image once (bench/scripted_services.py). With
`--against`, another checkout takes turns with this one on the same servers, PostgreSQL with fsync on and quorum queues;
each has a database and queues of its own. Every round of a tree starts its programs, each stage a process of its own
and one worker for all services, and measures

- idle: CPU per second of the post-processors and of their sessions in PostgreSQL, before there is a worker;
- images one by one, answered by the services one after the other: seconds from the first and from the last answer
  that matters to boxes and votes (`settled`: to the last row written), and votes written;
- images all at once: CPU for an image of every process, 13 jobs, until nothing is stale.

Bytes are those of all images of all rounds after VACUUM FULL, and as it stood; empty tables are left out.
"""

import argparse
import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.fleet_report import Report, render
from bench.fleet_rounds import FleetRound, Image, Plan, RoundResult
from bench.fleet_side import Side, SideFailed
from bench.scripted_services import ScriptedServices
from bench.temporary_fleet import STATE
from bench.worker import FAILED, at_least, say
from dev import servers
from dev.demo import free_offset
from dev.farm.layout import make_scene
from dev.farm.scenes import encode as encode_scene
from dev.servers import databases, files
from windmill import broker
from windmill.core.errors import WindmillError
from windmill.core.services import Fleet, load_fleet
from windmill.core.settings import ROOT, Settings, defaults
from windmill.storage import database

SCENES = 40
WARM = 10
GAP_SECONDS, SPREAD_SECONDS = 0.3, 0.25
DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
SIZES = """
SELECT c.relname AS name, coalesce(t.relname, c.relname) AS owner,
       pg_relation_size(c.oid) + CASE WHEN c.reltoastrelid > 0 THEN pg_total_relation_size(c.reltoastrelid) ELSE 0 END
       AS bytes
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_index AS i ON i.indexrelid = c.oid LEFT JOIN pg_class AS t ON t.oid = i.indrelid
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'i') AND coalesce(t.relname, c.relname) <> 'bench_log'
"""
IMAGES = "SELECT image_id, image_filename, image_path FROM images ORDER BY image_id"

Sizes = dict[tuple[str, str], int]


@dataclass(frozen=True)
class Ready:
    """A side with its images, its sizes without any, and its round."""

    side: Side
    round: FleetRound
    images: list[Image]
    empty: Sizes


def draw_images(folder: Path, count: int) -> None:
    """So many files of SCENES scenes; those of one scene differ behind the end of the image."""
    folder.mkdir(parents=True, exist_ok=True)
    scenes = [encode_scene(make_scene(7, number + 1)) for number in range(SCENES)]
    for number in range(count):
        (folder / f"{number:05}.jpg").write_bytes(scenes[number % SCENES] + f" {number:09}".encode())


@asynccontextmanager
async def prepared(
    name: str, tree: Path, addresses: Mapping[str, str], services: ScriptedServices, offset: int, folder: Path
) -> AsyncIterator[Ready]:
    """The tree with an empty database of its own, in which the images are registered."""
    unique = f"bench_{uuid.uuid4().hex[:8]}"
    own = {"DB_NAME": unique, "QUEUE_PREFIX": f"{unique}_", "SERVICE_PORT_OFFSET": str(offset)}
    environ = {**defaults(), **addresses, **own, "SERVICE_HOST": "127.0.0.1"}
    environ |= {"SERVICE_CONFIG": str(tree / "service_config.json"), "CALIBRATION": str(tree / "calibration.json")}
    pids = {"PostgreSQL": "postgres", "RabbitMQ": "rabbitmq"}
    running = {one.server: one.pid for one in servers.instance(STATE).status() if one.pid}
    side = Side(name, tree, environ, STATE, {title: running[kind] for title, kind in pids.items()})
    settings = side.settings
    await databases.create(settings, unique)
    try:
        for command in (["windmill", "migrate"], ["windmill", "declare"]):
            await asyncio.to_thread(side.run, *command)
        async with database.connection(settings, "bench") as rows:
            await check_durable(rows)
            empty = await read_sizes(rows)
            await asyncio.to_thread(side.run, "producers.images", str(folder), "--quiet")
            images = [Image(*row) for row in await rows.fetch(IMAGES)]
            plan = Plan(10.0, GAP_SECONDS, SPREAD_SECONDS)
            yield Ready(side, FleetRound(side, services, rows, plan), images, empty)
            async with broker.connection(settings, "bench") as queues:
                await broker.delete_queues(queues, settings, services.services)
    finally:
        await databases.drop(settings, unique)


async def check_durable(rows: database.Connection) -> None:
    for name in DURABLE:
        if await rows.fetchval(f"SHOW {name}") != "on":
            raise SideFailed(f"{name} is not on")


async def read_sizes(rows: database.Connection) -> Sizes:
    return {(row["owner"], row["name"]): row["bytes"] for row in await rows.fetch(SIZES)}


async def bytes_per_image(one: Ready, images: int) -> dict[str, dict[tuple[str, str], float]]:
    """By table and index, as it stands and as it is without dead rows."""
    found = {}
    for title, statement in (("as it stood", "SELECT 1"), ("compact", "VACUUM FULL")):
        await one.round.rows.execute(statement, timeout=600)
        sizes = await read_sizes(one.round.rows)
        found[title] = {key: (size - one.empty.get(key, 0)) / images for key, size in sizes.items()}
    return found


async def measure(wanted: argparse.Namespace, addresses: Mapping[str, str], fleet: Fleet) -> dict[str, Report]:
    """Every tree in every round, the other one first each time."""
    trees = {"now": ROOT} | ({"before": wanted.against.resolve()} if wanted.against else {})
    count = SCENES + wanted.rounds * (WARM + wanted.singles + wanted.images)
    folder = STATE / "fleet-images"
    draw_images(folder, count)
    offset = free_offset(fleet)
    results: dict[str, list[RoundResult]] = {name: [] for name in trees}
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(ScriptedServices(fleet.services.values(), offset))
        sides = [
            await stack.enter_async_context(prepared(name, tree, addresses, services, offset, folder))
            for name, tree in trees.items()
        ]
        used = 0
        for number in range(wanted.rounds):
            warm = WARM if number else SCENES
            ends = [used, used + warm, used + warm + wanted.singles, used + warm + wanted.singles + wanted.images]
            for one in sides if number % 2 else reversed(sides):
                parts = [one.images[first:last] for first, last in pairwise(ends)]
                results[one.side.name].append(await one.round.run(*parts))
                say(f"round {number + 1} of {one.side.name} is done; load {os.getloadavg()[0]:.1f}")
            used = ends[-1]
        return {one.side.name: Report(results[one.side.name], await bytes_per_image(one, used)) for one in sides}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, metavar="TREE", help="another checkout, which takes turns")
    parser.add_argument("--images", type=at_least(10), default=150, help="at once, in each round (%(default)s)")
    parser.add_argument("--singles", type=at_least(5), default=40, help="one by one, in each round (%(default)s)")
    parser.add_argument("--rounds", type=at_least(1), default=2, help="of each tree (%(default)s)")
    return parser.parse_args()


def main() -> int:
    wanted = arguments()
    with files.locked(STATE / "worker.lock", lambda: say("another benchmark runs here; waits for it")):
        ran = any(server.running for server in servers.instance(STATE).status())
        addresses = servers.up(STATE, {}, report=say)
        try:
            fleet = load_fleet(Settings.from_env({**defaults(), **addresses}).service_config)
            print(render(asyncio.run(measure(wanted, addresses, fleet))))
        except (SideFailed, WindmillError) as error:
            say(str(error))
            return FAILED
        finally:
            if not ran:
                servers.down(STATE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
