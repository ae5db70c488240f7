"""python -m windmill status: the status of the fleet, once or again and again."""

import argparse
import asyncio
import os
import sys

import orjson

from windmill.cli.options import Commands, add_json, add_services, async_command, print_view, sync_command
from windmill.core.errors import WindmillError
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.operate.status.figures import FleetStatus
from windmill.operate.status.reading import LOST_SECONDS, StatusReader, status_reader
from windmill.operate.status.render import render_status_json, render_status_text, render_unavailable
from windmill.operate.views import view_status
from windmill.process.runner import DONE, pause

WATCH_SECONDS = 2.0
HANG_SECONDS = 0.5
CLEAR = "\x1b[H\x1b[2J\x1b[3J"
DESCRIPTION = """\
Per service: jobs done, failed, waiting, held by workers, waiting for a retry and parked; the rate and the ETA; whether
the service is down; and its workers. A worker is lost if it sends no heartbeat for a while and did not announce that it
stops. Figures that database or broker cannot supply are shown as - (JSON: null).
"""


def add_to(commands: Commands) -> None:
    said = "show progress, rates and workers per service"
    add = commands.add_parser("status", help=said, description=DESCRIPTION)
    add_services(add)
    add_json(add)
    add.add_argument("--workers", action="store_true", help="list the workers even if there are many")
    add.add_argument(
        "--watch",
        nargs="?",
        type=_seconds,
        const=WATCH_SECONDS,
        metavar="SECONDS",
        help="refresh every 2 seconds, or every SECONDS, until Ctrl-C; with --json one document per line",
    )
    add.add_argument(
        "--lost-after",
        type=_seconds,
        default=LOST_SECONDS,
        metavar="SECONDS",
        help="seconds without a heartbeat after which a worker counts as lost (default: 60)",
    )
    add.set_defaults(start=start, remote=True)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not seconds from 0.1 to 86400")
    return seconds


def start(arguments: argparse.Namespace) -> int:
    return (async_command(watch) if arguments.watch else sync_command(run_status))(arguments)


def run_status(settings: Settings, arguments: argparse.Namespace) -> int:
    view = asyncio.run(view_status(settings, arguments.services, arguments.lost_after, workers=arguments.workers))
    return print_view(view, as_json=arguments.json)


async def watch(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace) -> int:
    if settings.windmill_url:
        raise WindmillError("USAGE", "--watch works on a machine of the fleet alone")
    services = load_fleet(settings.service_config).select(arguments.services)
    async with status_reader(settings, services, lost_seconds=arguments.lost_after) as reader:
        looking = asyncio.ensure_future(_refresh(reader, stop, arguments))
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait([looking, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        looking.cancel()
        _, hanging = await asyncio.wait([looking], timeout=HANG_SECONDS)
        if hanging:
            reader.give_up()
        [ended] = await asyncio.gather(looking, return_exceptions=True)
    # A query may fail because it was interrupted.
    if isinstance(ended, Exception) and not stop.is_set():
        raise ended
    return DONE


async def _refresh(reader: StatusReader, stop: asyncio.Event, arguments: argparse.Namespace) -> None:
    """Refresh until the output is closed. Only the first query may raise: later a server may come back."""
    seen = False
    while not stop.is_set():
        status = await reader.read()
        error = reader.database_error
        if error and error.retry == "never" and not seen:
            raise error
        seen = seen or not error
        if not _written(_render(status, arguments)):
            return
        await pause(stop, arguments.watch)


def _render(status: FleetStatus, arguments: argparse.Namespace) -> str:
    if arguments.json:
        return orjson.dumps(render_status_json(status)).decode() + "\n"
    text = render_status_text(status, workers=arguments.workers) + "".join(
        f"{line}\n" for line in render_unavailable(status)
    )
    return CLEAR + text if sys.stdout.isatty() else text + "\n"


def _written(block: str) -> bool:
    """False when the output is closed, as after `| head`."""
    try:
        sys.stdout.write(block)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would flush the buffer at exit, and print an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True
