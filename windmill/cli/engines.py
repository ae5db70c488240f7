"""python -m windmill engines: which engines there are, and whether they and their models are well."""

import argparse
import asyncio

from windmill.cli.options import Commands, add_json, print_result, sync_command
from windmill.core.settings import Settings
from windmill.engines.registry import configured_engines
from windmill.operate.engines import (
    check_engines,
    exit_code_of,
    render_engines_json,
    render_engines_text,
    render_reports_json,
    render_reports_text,
)
from windmill.process.runner import DONE

DESCRIPTION = """\
The engines in SERVICE_CONFIG, and the engine default that MODEL_ADAPTER_TYPE describes.
"""
CHECK = """\
Asks an engine whether it can work, and reads the files of its models: whether they are there, have the sha256 of their
entry, and a licence that is known.
"""


def add_to(commands: Commands) -> None:
    add = commands.add_parser(
        "engines", help="list the engines, or check them and their models", description=DESCRIPTION
    )
    add_json(add)
    add.set_defaults(start=sync_command(run_list))
    verbs = add.add_subparsers(title="verbs", metavar="check")
    check = verbs.add_parser("check", help="check an engine and its models", description=CHECK)
    check.add_argument("name", nargs="?", metavar="NAME", help="the engine (default: all)")
    add_json(check)
    check.set_defaults(start=sync_command(run_check))


def run_list(settings: Settings, arguments: argparse.Namespace) -> int:
    entries = configured_engines(settings)
    print_result(render_engines_json(entries), render_engines_text(entries), as_json=arguments.json)
    return DONE


def run_check(settings: Settings, arguments: argparse.Namespace) -> int:
    reports = asyncio.run(check_engines(configured_engines(settings), arguments.name))
    print_result(render_reports_json(reports), render_reports_text(reports), as_json=arguments.json)
    return exit_code_of(reports)
