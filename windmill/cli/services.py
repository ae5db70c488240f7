"""python -m windmill services: pause services, let them go on, and change how many calls are made at once."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from windmill.cli.options import (
    Commands,
    add_json,
    age,
    command_line_actor,
    int_between,
    print_result,
    sync_command,
)
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.core.wanted_states import EVERYTHING, WantedState
from windmill.kernels.text.tables import render_table
from windmill.operate.wanted_states import (
    MOST_CALLS,
    Pause,
    WantedChanges,
    is_altered,
    names_of,
    read_step_names,
    read_wanted,
    wanted_document,
)
from windmill.process.runner import DONE
from windmill.storage import database

V = TypeVar("V")
TITLE = "windmill services"
DESCRIPTION = """\
Workers of all machines follow within seconds. One that is paused finishes what it has begun and begins nothing else;
what is submitted meanwhile waits in the queues. NAMES are services, sets and steps of jobs, separated by commas; with
--everything all services and steps are meant, also those that are added later.
"""


def add_to(commands: Commands) -> None:
    group = commands.add_parser("services", help="pause services and set their concurrency", description=DESCRIPTION)
    actions = group.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="list what is wanted now", description="List what is wanted now.")
    add_json(listing)
    listing.set_defaults(start=sync_command(run_list))
    pause = _add_named(actions, "pause", "begin no more work for them", everything=True)
    pause.add_argument("--reason", default="", metavar="TEXT", help="shown to whoever looks")
    pause.add_argument("--for", dest="span", type=age, metavar="SPAN", help="go on after it, such as 30m (for ever)")
    pause.set_defaults(start=sync_command(run_pause))
    _add_named(actions, "resume", "let them go on", everything=True).set_defaults(start=sync_command(run_resume))
    change = _add_named(actions, "set", "change how many calls each process makes at once", everything=False)
    calls = change.add_mutually_exclusive_group(required=True)
    calls.add_argument("--concurrency", type=int_between(1, MOST_CALLS), metavar="N", help="calls at once")
    calls.add_argument("--as-configured", action="store_true", help="as settings say")
    change.set_defaults(start=sync_command(run_set))


def _add_named(actions: Commands, name: str, told: str, *, everything: bool) -> argparse.ArgumentParser:
    add: argparse.ArgumentParser = actions.add_parser(name, help=told, description=f"{told.capitalize()}.")
    add.add_argument("names", metavar="NAMES", nargs="?" if everything else None, help="services, sets and steps")
    if everything:
        add.add_argument("--everything", action="store_true", help="all services and steps")
    add_json(add)
    return add


def _with_pool(settings: Settings, work: Callable[[database.Pool], Awaitable[V]]) -> V:
    async def run() -> V:
        async with database.pool(settings, TITLE, max_size=1) as pool:
            return await work(pool)

    return asyncio.run(run())


async def _names(pool: database.Pool, settings: Settings, arguments: argparse.Namespace) -> list[str]:
    named = [one.strip() for one in (arguments.names or "").split(",") if one.strip()]
    everything = [EVERYTHING] if getattr(arguments, "everything", False) else []
    steps = await read_step_names(pool, settings)
    return names_of(load_fleet(settings.service_config), steps, [*everything, *named])


def _changes(pool: database.Pool, settings: Settings) -> WantedChanges:
    return WantedChanges(pool, settings, command_line_actor())


def run_list(settings: Settings, arguments: argparse.Namespace) -> int:
    wanted = _with_pool(settings, lambda pool: read_wanted(pool, settings))
    return _print([one for one in wanted.by_name.values() if is_altered(one)], arguments)


def run_pause(settings: Settings, arguments: argparse.Namespace) -> int:
    pause = Pause(arguments.reason, datetime.now(UTC) + arguments.span if arguments.span else None)

    async def change(pool: database.Pool) -> list[WantedState]:
        return await _changes(pool, settings).pause(await _names(pool, settings, arguments), pause)

    return _print(_with_pool(settings, change), arguments)


def run_resume(settings: Settings, arguments: argparse.Namespace) -> int:
    async def change(pool: database.Pool) -> list[WantedState]:
        return await _changes(pool, settings).resume(await _names(pool, settings, arguments))

    return _print(_with_pool(settings, change), arguments)


def run_set(settings: Settings, arguments: argparse.Namespace) -> int:
    async def change(pool: database.Pool) -> list[WantedState]:
        names = await _names(pool, settings, arguments)
        return await _changes(pool, settings).set_concurrency(names, arguments.concurrency)

    return _print(_with_pool(settings, change), arguments)


def _print(states: Sequence[WantedState], arguments: argparse.Namespace) -> int:
    headings = ("name", "state", "until", "concurrency", "by", "reason")
    text = render_table(headings, [_row(one) for one in states]) if states else "all is as configured\n"
    print_result([wanted_document(one) for one in states], text, as_json=arguments.json)
    return DONE


def _row(state: WantedState) -> tuple[object, ...]:
    until = state.paused_until.isoformat(timespec="minutes") if state.paused and state.paused_until else None
    name = "all services and steps" if state.name == EVERYTHING else state.name
    return name, "paused" if state.paused else "on", until, state.concurrency, state.owner, state.reason
