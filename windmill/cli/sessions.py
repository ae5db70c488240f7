"""python -m windmill sessions: list and show sessions of talk, end them, and count their words again."""

import argparse
import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from windmill.cli.options import Commands, add_json, command_line_actor, int_between, print_result, sync_command
from windmill.core.settings import Settings
from windmill.jobs.access import JobAccess
from windmill.operate.sessions.documents import (
    counted_text,
    list_document,
    list_text,
    session_document,
    session_text,
)
from windmill.operate.sessions.people import Person
from windmill.operate.sessions.reading import list_sessions, show_progress, show_speakers
from windmill.operate.sessions.recording import end_session
from windmill.operate.sessions.recounting import recount_sessions
from windmill.pipelines.audio.forms import DEFAULT_WORDS
from windmill.pipelines.audio.word_lists import find_word_list
from windmill.pipelines.job_steps.catalog import STEPS
from windmill.pipelines.presets.preset_library import load_presets
from windmill.process.runner import DONE
from windmill.storage import database

V = TypeVar("V")
TITLE = "windmill sessions"
DESCRIPTION = """\
A session is a talk that is recorded in chunks over HTTP (docs/talk.md). Its words are counted again whenever its list
of rules and words has changed; who has claimed which voice stays.
"""


def add_to(commands: Commands) -> None:
    group = commands.add_parser("sessions", help="talks: list, show, end, count again", description=DESCRIPTION)
    actions = group.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="list sessions, the newest first", description="List sessions.")
    states = ("recording", "processing", "ready_for_claiming", "completed", "failed")
    listing.add_argument("--status", choices=states, help="only these")
    listing.add_argument("--limit", type=int_between(1, 1_000), default=20, metavar="N", help="at most (%(default)s)")
    add_json(listing)
    listing.set_defaults(start=sync_command(run_list))
    for name, told, run in (
        ("show", "show a session, its speakers and their words", run_show),
        ("end", "end a recording that nobody ends, and have it worked on", run_end),
    ):
        action = actions.add_parser(name, help=told, description=f"{told.capitalize()}.")
        action.add_argument("session", type=uuid.UUID, metavar="SESSION", help="its id")
        add_json(action)
        action.set_defaults(start=sync_command(run))
    _add_recount(actions)


def _add_recount(actions: Commands) -> None:
    told = "count words again where they were counted by another list or version"
    add = actions.add_parser("recount", help=told, description=f"{told.capitalize()}.")
    add.add_argument("session", type=uuid.UUID, nargs="*", metavar="SESSION", help="only these, whatever counted them")
    add.add_argument("--all", action="store_true", help="all sessions, whatever counted them")
    add.add_argument("--words", default=DEFAULT_WORDS, metavar="LIST", help="the list (%(default)s)")
    add.add_argument("--strict-seed", action="store_true", help="count as the first version of the list did")
    add_json(add)
    add.set_defaults(start=sync_command(run_recount))


def _us() -> Person:
    return Person(command_line_actor(), admin=True)


def _run(settings: Settings, work: Callable[[JobAccess], Awaitable[V]]) -> V:
    async def run() -> V:
        async with database.pool(settings, TITLE, max_size=1) as pool:
            return await work(JobAccess(pool, settings, STEPS))

    return asyncio.run(run())


def run_list(settings: Settings, arguments: argparse.Namespace) -> int:
    given = (None, arguments.status, arguments.limit, 0)
    found = _run(settings, lambda access: list_sessions(access, _us(), *given))
    print_result(list_document(found), list_text(found), as_json=arguments.json)
    return DONE


def run_show(settings: Settings, arguments: argparse.Namespace) -> int:
    async def show(access: JobAccess) -> tuple[dict[str, Any], str]:
        progress = await show_progress(access, arguments.session, _us())
        _, speakers = await show_speakers(access, arguments.session, _us())
        return session_document(progress, speakers), session_text(progress, speakers)

    document, text = _run(settings, show)
    print_result(document, text, as_json=arguments.json)
    return DONE


def run_end(settings: Settings, arguments: argparse.Namespace) -> int:
    library = load_presets(settings.presets_dir)
    ended = _run(settings, lambda access: end_session(access, library, _us(), arguments.session))
    document = {"session": str(ended.session_id), "status": ended.status, "job": str(ended.job)}
    print_result(document, f"{ended.session_id} is {ended.status}, by the job {ended.job}\n", as_json=arguments.json)
    return DONE


def run_recount(settings: Settings, arguments: argparse.Namespace) -> int:
    words = find_word_list(arguments.words, settings.presets_dir)
    counted = _run(
        settings,
        lambda access: recount_sessions(
            access.pool, settings, words, arguments.session, strict=arguments.strict_seed, every=arguments.all
        ),
    )
    print_result(vars(counted), counted_text(counted), as_json=arguments.json)
    return DONE
