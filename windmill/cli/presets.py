"""python -m windmill presets: what can be asked for, and whether a file of one's own is right.

Steps on pictures bring numpy and Pillow along, so what knows them is imported when one of these commands runs: the
others start without.
"""

import argparse
import asyncio
from pathlib import Path
from typing import get_args

from windmill.cli.options import Commands, add_json, print_result, print_view, sync_command
from windmill.core.errors import ConfigInvalid
from windmill.core.settings import Settings
from windmill.operate.views import MISTAKEN, view_preset, view_presets
from windmill.pipelines.presets.preset import Category
from windmill.process.runner import DONE

DESCRIPTION = """\
A preset is a JSON file that says what a user can ask for: its inputs, its quality levels, and the steps that a job
takes. Those that ship with Windmill are joined by your own in PRESETS_DIR. docs/presets.md tells how to write one.

exit codes: 0 done, 1 something it needs is unavailable, 2 there is no such preset, or a file has mistakes
"""


def add_to(commands: Commands) -> None:
    group = commands.add_parser(
        "presets",
        help="list, show and check presets",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = group.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_list(actions)
    _add_show(actions)
    check = actions.add_parser("check", help="say what is wrong with a file, and where")
    check.add_argument("file", type=Path, metavar="FILE", help="the preset")
    add_json(check)
    check.set_defaults(start=sync_command(run_check))


def _add_list(actions: Commands) -> None:
    add = actions.add_parser("list", help="list presets")
    add.add_argument("--all", action="store_true", help="also those that cannot be run yet, with what is missing")
    add.add_argument("--category", choices=get_args(Category), help="only those of this category")
    add.add_argument("--engine", metavar="NAME", help="only those that can use this engine")
    add_json(add)
    add.set_defaults(start=sync_command(run_list), remote=True)


def _add_show(actions: Commands) -> None:
    add = actions.add_parser("show", help="show one preset in full")
    add.add_argument("id", metavar="ID", help="the preset")
    add.add_argument("--schema", action="store_true", help="print the JSON Schema of its inputs and nothing else")
    add_json(add)
    add.set_defaults(start=sync_command(run_show), remote=True)


def run_list(settings: Settings, arguments: argparse.Namespace) -> int:
    asked = view_presets(
        settings, arguments.category, arguments.engine, everything=arguments.all, measured=arguments.json
    )
    return print_view(asyncio.run(asked), as_json=arguments.json)


def run_show(settings: Settings, arguments: argparse.Namespace) -> int:
    view = asyncio.run(view_preset(settings, arguments.id, measured=not arguments.schema))
    if arguments.schema:
        print_result(view.document["inputs_schema"], "", as_json=True)
        return DONE
    return print_view(view, as_json=arguments.json)


def run_check(_: Settings, arguments: argparse.Namespace) -> int:
    from windmill.operate.presets import render_problems
    from windmill.pipelines.presets.preset_reader import load_preset

    try:
        preset = load_preset(arguments.file)
    except ConfigInvalid as error:
        if not arguments.json:
            raise
        print_result({"ok": False, "problems": render_problems(error.problems)}, "", as_json=True)
        return MISTAKEN
    said = f"{arguments.file} is right: {preset.id}, version {preset.version}, {len(preset.steps)} step(s)\n"
    print_result({"ok": True, "id": preset.id, "version": preset.version, "problems": []}, said, as_json=arguments.json)
    return DONE
