"""The whole fleet on this machine, from images to rows: python -m dev.demo

Starts private servers unless they run, the services, one worker for all of them, the post-processors and the gateway;
registers images, submits them to every service, shows the progress, prints what each service did and what was made of
it, has a picture made by a preset, and stops what it started. Without --folder the images are drawn and the services
are stand-ins. The images of a folder are shown to real models, by those services for which there are any.
It has a database and queues of its own, so it neither sees nor touches those of a real fleet.
"""

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from dev import servers
from dev.demo_picture import make_picture
from dev.demo_scene import ACCEPT, HOME, DemoScene, answered_by, scene_of, with_models
from dev.gateway import free_port
from dev.programs import Interrupted, ProgramFailed, ProgramRunner
from dev.servers import databases, ports
from windmill import broker
from windmill.core.errors import WindmillError
from windmill.core.services import Fleet, load_fleet
from windmill.core.setting_parts import DatabaseSettings, FleetSettings
from windmill.core.settings import ROOT, Settings, defaults, named_by_user
from windmill.kernels.text.tables import render_table
from windmill.operate.status.reading import ServiceStatus, read_status
from windmill.process.runner import DONE, FAILED, INTERRUPTED, run
from windmill.storage import database
from windmill.storage.queries import queries

LOCAL = ROOT / "var" / "local"
DATABASE = "windmill_demo"
PREFIX = "demo_"
ADDRESSES = ("DB_", "QUEUE_")
FIRST_PORT = 8_100
"""Of those that its gateway may listen on: others may have the usual one."""
POLL_SECONDS = 0.5
STALL_SECONDS = 60.0
WHERE_TO_LOOK = f"""
where to look next
  make up DB_NAME={DATABASE} QUEUE_PREFIX={PREFIX}
                                           the servers again, and a gateway that shows what the demo left in them
  make psql DB_NAME={DATABASE}          a prompt, where you ask: TABLE results LIMIT 5;
  var/demo/                                the images, the picture, and the logs of the programs
  README.md                                a real fleet
"""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m dev.demo", description=__doc__)
    top.add_argument("--folder", type=Path, metavar="DIR", help="your own images, instead of drawn ones")
    top.add_argument(ACCEPT, action="store_true", help="with --folder: use models whose packages state no licence, too")
    top.add_argument("--without", metavar="NAMES", help="services and sets that are not asked, such as ocr")
    top.add_argument("--images", type=int, default=200, metavar="N", help="how many images to draw (%(default)s)")
    top.add_argument("--seed", type=int, default=7, help="decides what is drawn and answered (%(default)s)")
    top.add_argument("--state", type=Path, default=LOCAL, metavar="DIR", help="of the servers (var/local)")
    stay = "leave all running until Ctrl-C, to look at it (default: on a terminal)"
    top.add_argument("--stay", action=argparse.BooleanOptionalAction, default=sys.stdin.isatty(), help=stay)
    return top


async def main(stop: asyncio.Event, options: argparse.Namespace) -> int:
    fleet = load_fleet(ROOT / "service_config.json")
    scene = scene_of(options, fleet)
    with private_servers(options.state) as addresses:
        environ = demo_environ(addresses, free_offset(fleet))
        settings = Settings.from_env(environ)
        try:
            async with ProgramRunner({**named_by_user(), **environ}, HOME, stop) as programs:
                # Now that nothing of a demo that was killed can write any more.
                await reset(settings, list(fleet.services))
                finished = await run_demo(programs, settings, fleet, scene)
                if options.stay:
                    say(f"Ctrl-C stops all of it; until then: {link(settings)}")
                    await stop.wait()
        except ProgramFailed as error:
            sys.stderr.write(f"{error}\n")
            return FAILED
        except Interrupted:
            say("interrupted")
            return INTERRUPTED
    return DONE if finished else FAILED


@contextlib.contextmanager
def private_servers(state: Path) -> Iterator[dict[str, str]]:
    """Variables to reach the servers: the user's own or private ones. Servers that `make up` started go on running."""
    say("servers")
    named = named_by_user()
    ran = any(server.running for server in servers.instance(state).status())
    found = servers.up(state, named, report=lambda line: say(f"  {line}"))
    try:
        yield found | {name: value for name, value in named.items() if name.startswith(ADDRESSES)}
    finally:
        if not ran and not servers.are_kept(state):
            servers.down(state, report=lambda line: say(f"  {line}"))


def demo_environ(addresses: Mapping[str, str], offset: int) -> dict[str, str]:
    """Addresses of servers come from the user, everything else from the defaults."""
    own = {"DB_NAME": DATABASE, "QUEUE_PREFIX": PREFIX, "SERVICE_HOST": ports.LOOPBACK}
    own |= {"ARTIFACTS_URL": str(HOME / "artifacts"), "SERVICE_PORT_OFFSET": str(offset)}
    own |= {"GATEWAY_HOST": ports.LOOPBACK, "GATEWAY_PORT": str(free_port(FIRST_PORT))}
    return {**defaults(), **addresses, **own}


def free_offset(fleet: Fleet) -> int:
    """An offset of ports at which all stand-ins find free ones, because services may run here already."""
    wanted = [service.port for service in fleet.services.values()]
    for offset in range(10_000, 50_001, 1_000):
        if all(ports.is_free(port + offset) for port in (*wanted, 7_700)):
            return offset
    raise WindmillError("BUSY", "no free ports for the stand-in services", "stop what listens on them")


async def reset(settings: Settings, services: Sequence[str]) -> None:
    """An empty database, and no jobs of a demo that was interrupted."""
    await databases.drop(settings, DATABASE)
    await databases.create(settings, DATABASE)
    async with broker.connection(settings, "windmill-demo") as opened:
        await broker.delete_queues(opened, settings, services)


async def run_demo(programs: ProgramRunner, settings: Settings, fleet: Fleet, scene: DemoScene) -> bool:
    """Run the demo; True when every result has arrived."""
    await prepare(programs, settings, fleet, scene)
    say("worker, post-processors, gateway and producer")
    services = ",".join(scene.services)
    programs.start("gateway", "-m", "gateway")
    programs.start("worker", "-m", "workers.generic", SERVICE_NAME=services)
    programs.start("postprocessors", "-m", "postprocessors.all")
    started = time.monotonic()
    said = await programs.run("-m", "producers.generic", "--services", services, "--group", "demo")
    say(f"  {said.splitlines()[-1]}")
    images, _ = await seen(settings)
    total = images * len(scene.services)
    settled, stored = await watch(settings, total, programs)
    seconds = time.monotonic() - started
    asked = [fleet.services[name] for name in scene.services]
    _, answered_by = await seen(settings)
    say("\n" + render_services((await read_status(settings, asked)).services, seconds, answered_by))
    if scene.left_out:
        say(f"not asked, as there is no model for them: {', '.join(scene.left_out)}")
        say(f"{images / seconds:.2f} pictures/s")
    say(f"{stored:,} of {total:,} results in {seconds:.1f} s, {stored / seconds:.0f} jobs/s")
    derived = await post_processed(settings, programs)
    say(await make_picture(programs, HOME / "picture"))
    await programs.until_listening("gateway", [settings.gateway_port])
    say(WHERE_TO_LOOK)
    say(f"the pages and the HTTP interface of the demo, while it runs: {link(settings)}")
    # Of a user's own images some may be beyond a service; the table tells.
    return derived and (settled if scene.left_out else stored) == total


def link(settings: Settings) -> str:
    return f"http://{settings.gateway_host}:{settings.gateway_port}/"


async def prepare(programs: ProgramRunner, settings: FleetSettings, fleet: Fleet, scene: DemoScene) -> None:
    """Start the services, create the tables, draw images if none are given, and register them."""
    wanted = [fleet.services[name].port + settings.service_port_offset for name in scene.services]
    programs.start("farm", "-m", "dev.farm", *scene.farm_options)
    await programs.until_listening("farm", wanted)
    say(f"{scene.kind} services\n  {len(wanted)} on 127.0.0.1, ports {min(wanted)} to {max(wanted)}")
    if scene.drawing:
        say(f"images\n  {await programs.run(*scene.drawing)}")
    say(f"tables\n  {await programs.run('-m', 'windmill', 'migrate')}")
    say(f"register\n  {await programs.run('-m', 'producers.images', str(scene.images), '--group', 'demo')}")


async def seen(settings: DatabaseSettings) -> tuple[int, dict[str, str]]:
    """How many images there are, and what has answered for each service."""
    async with database.connection(settings, "windmill-demo") as connection:
        images: int = await connection.fetchval(queries()["count_images"])
        rows = await connection.fetch(queries()["who_answered"])
    return images, {row["service"]: answered_by(row["framework"]) for row in rows}


async def watch(settings: DatabaseSettings, total: int, programs: ProgramRunner) -> tuple[int, int]:
    """Follow the results until all have arrived, or none has for a minute; how many there are, and good ones."""
    moved = time.monotonic()
    before = successes = 0
    with tqdm(total=total, unit=" results", dynamic_ncols=True, disable=None) as bar:
        async for settled, done in counts(settings):
            successes = done
            if settled != before:
                moved = time.monotonic()
            bar.update(settled - before)
            before = settled
            programs.check()
            if settled >= total:
                break
            if time.monotonic() - moved > STALL_SECONDS:
                say(f"nothing has moved for {STALL_SECONDS:.0f} s; the logs are in {HOME}")
                break
    return before, successes


async def counts(settings: DatabaseSettings) -> AsyncIterator[tuple[int, int]]:
    """Poll the number of results, and how many of them succeeded."""
    async with database.connection(settings, "windmill-demo") as connection:
        while True:
            row = await connection.fetchrow(queries()["count_outcomes"])
            assert row is not None
            yield row["settled"], row["done"]
            await asyncio.sleep(POLL_SECONDS)


async def post_processed(settings: DatabaseSettings, programs: ProgramRunner) -> bool:
    """Wait until nothing is stale, or nothing has moved for a minute; print what was derived from the results."""
    began = moved = time.monotonic()
    before: object = None
    async with database.connection(settings, "windmill-demo") as connection:
        while True:
            row = await connection.fetchrow(queries()["count_derived"])
            assert row is not None
            programs.check()
            if before != (before := tuple(row)):
                moved = time.monotonic()
            if not row["marks"] or time.monotonic() - moved > STALL_SECONDS:
                break
            await asyncio.sleep(POLL_SECONDS / 5)
        best = await connection.fetchrow(queries()["surest_vote"])
    say(render_derived(dict(row), time.monotonic() - began))
    if best:
        say(f"the vote on {best['image_filename']}, each with its probability and how many services say so:")
        say(f"  {best['said']}")
    if row["marks"] or row["failed_enrichments"]:
        say(f"{row['marks']} marks are left and {row['failed_enrichments']} calls failed; the logs are in {HOME}")
    return not row["marks"] and not row["failed_enrichments"]


def render_derived(row: Mapping[str, int], seconds: float) -> str:
    boxes = f"{row['boxes']:,} merged boxes on {row['images_with_boxes']:,} images"
    votes = f"{row['votes']:,} votes with {row['emojis']:,} emojis"
    shown = f"shown to services {row['enrichments']:,} times"
    return f"{boxes}, {shown}; {votes}; {seconds:.1f} s after the last result"


def render_services(rows: Sequence[ServiceStatus], seconds: float, answered_by: Mapping[str, str]) -> str:
    cells = [
        [row.service, row.done, row.failed, round(row.done / seconds, 1), row.p50, answered_by.get(row.service, "-")]
        for row in rows
    ]
    return render_table(["service", "done", "failed", "jobs/s", "p50 s", "answered by"], cells)


def say(line: str) -> None:
    sys.stdout.write(line.rstrip() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    arguments = parser().parse_args()
    # Before anything is started, as it may take minutes, or be refused.
    with_models(arguments)
    sys.exit(run(lambda _, stop: main(stop, arguments)))
