"""python -m windmill keys: make, list, rotate and revoke keys of the gateway."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar, get_args

from windmill.cli.options import (
    Commands,
    add_command,
    add_json,
    age,
    command_line_actor,
    int_between,
    print_result,
    sync_command,
)
from windmill.core.settings import Settings
from windmill.jobs.requests import PRIORITIES
from windmill.kernels.text.tables import render_table
from windmill.operate.keys.keys import (
    ROTATION_SECONDS,
    MadeKey,
    NewKey,
    all_keys,
    create_key,
    revoke_key,
    rotate_key,
    shown_key,
    shown_keys,
)
from windmill.process.runner import DONE
from windmill.storage import database
from windmill.storage.api_keys import ApiKey, KeyScope

V = TypeVar("V")
TITLE = "windmill keys"
DESCRIPTION = """\
Programs and people use the gateway with a key. It is printed once, when it is made; afterwards it is known by its
beginning, as `list` prints it. A viewer reads the jobs of its principal, an operator also makes and steers them, and an
admin does all to all.
"""
EXAMPLES = """\
examples:
  python -m windmill keys create phone-app --expires 90d
  python -m windmill keys create ann --scope admin
  python -m windmill keys rotate wm_abcdefgh --grace 7d

exit codes: 0 done, 1 failed, 2 wrong usage, or there is no such key, 70 a bug of Windmill
"""


def add_to(commands: Commands) -> None:
    group = add_command(commands, "keys", "make and revoke keys of the gateway", DESCRIPTION, EXAMPLES)
    actions = group.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_create(actions)
    listing = actions.add_parser("list", help="list all keys", description="List all keys.")
    add_json(listing)
    listing.set_defaults(start=sync_command(run_list))
    rotate = _add_named(actions, "rotate", "give a key a new secret")
    rotate.add_argument("--grace", type=age, metavar="SPAN", help="how long the old one stays good (default: 1d)")
    rotate.set_defaults(start=sync_command(run_rotate))
    _add_named(actions, "revoke", "refuse a key from now on").set_defaults(start=sync_command(run_revoke))


def _add_create(actions: Commands) -> None:
    add = actions.add_parser("create", help="make a key and print it", description="Make a key and print it.")
    add.add_argument("name", metavar="NAME", help="what it is for")
    add.add_argument("--scope", choices=get_args(KeyScope), default="operator", help="what it may do (%(default)s)")
    add.add_argument("--principal", metavar="NAME", help="whose jobs it makes and sees (default: the name of the key)")
    add.add_argument("--priority", type=int, choices=PRIORITIES, default=0, metavar="N", help="of its jobs (0)")
    add.add_argument("--highest-priority", type=int, choices=PRIORITIES, default=9, metavar="N", help="at most (9)")
    add.add_argument("--quota-jobs", type=int_between(0), metavar="N", help="how many jobs it may make")
    add.add_argument("--quota-seconds", type=int_between(0), metavar="N", help="how long its principal's jobs may run")
    add.add_argument("--rate", type=int_between(1, 10_000_000), metavar="N", help="requests in a minute")
    add.add_argument("--expires", type=age, metavar="SPAN", help="after this time, such as 90d")
    add_json(add)
    add.set_defaults(start=sync_command(run_create))


def _add_named(actions: Commands, name: str, told: str) -> argparse.ArgumentParser:
    add: argparse.ArgumentParser = actions.add_parser(name, help=told, description=f"{told.capitalize()}.")
    add.add_argument("key", metavar="KEY", help="its beginning, such as wm_abcdefgh")
    add_json(add)
    return add


def _with_pool(settings: Settings, work: Callable[[database.Pool], Awaitable[V]]) -> V:
    async def run() -> V:
        async with database.pool(settings, TITLE, max_size=1) as pool:
            return await work(pool)

    return asyncio.run(run())


def run_create(settings: Settings, arguments: argparse.Namespace) -> int:
    new = NewKey(
        name=arguments.name,
        principal=arguments.principal or arguments.name,
        scope=arguments.scope,
        default_priority=arguments.priority,
        highest_priority=arguments.highest_priority,
        quota_jobs=arguments.quota_jobs,
        quota_seconds=arguments.quota_seconds,
        requests_per_minute=arguments.rate,
        expires_at=datetime.now(UTC) + arguments.expires if arguments.expires else None,
    )
    return _print_made(
        _with_pool(settings, lambda pool: create_key(pool, settings, command_line_actor(), new)), arguments
    )


def run_rotate(settings: Settings, arguments: argparse.Namespace) -> int:
    grace = arguments.grace.total_seconds() if arguments.grace else ROTATION_SECONDS
    made = _with_pool(settings, lambda pool: rotate_key(pool, settings, command_line_actor(), arguments.key, grace))
    return _print_made(made, arguments)


def _print_made(made: MadeKey, arguments: argparse.Namespace) -> int:
    document: dict[str, Any] = {"key": shown_key(made.key), "secret": made.text}
    print_result(document, f"{made.text}\n", as_json=arguments.json)
    return DONE


def run_list(settings: Settings, arguments: argparse.Namespace) -> int:
    keys = _with_pool(settings, lambda pool: all_keys(pool, settings))
    print_result(shown_keys(keys), _render(keys), as_json=arguments.json)
    return DONE


def run_revoke(settings: Settings, arguments: argparse.Namespace) -> int:
    key = _with_pool(settings, lambda pool: revoke_key(pool, settings, command_line_actor(), arguments.key))
    print_result(shown_key(key), f"{key.prefix} is revoked\n", as_json=arguments.json)
    return DONE


def _render(keys: Sequence[ApiKey]) -> str:
    if not keys:
        return "no keys\n"
    headings = ("key", "name", "principal", "scope", "state", "last used")
    return render_table(headings, [_row(key) for key in keys])


def _row(key: ApiKey) -> tuple[object, ...]:
    state = "revoked" if key.revoked else "expired" if key.expired else "good"
    used = key.last_used_at.isoformat(timespec="minutes") if key.last_used_at else "never"
    return key.prefix, key.name, key.principal, key.scope, state, used
