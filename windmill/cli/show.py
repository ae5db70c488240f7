"""python -m windmill show: what is known of one image, in words."""

import argparse
import asyncio

from windmill.cli.options import Commands, add_command, add_json, print_view, sync_command
from windmill.core.settings import Settings
from windmill.operate.views import view_image

DESCRIPTION = """\
What is known of one image: each vote with the sentence that says why, the boxes and what services say about them, who
answered, failed or is awaited, and the remedy for each failure. Name the image by its id, its path or its URL.
"""
EXAMPLES = """\
examples:
  python -m windmill show /data/pictures/1.jpg
  python -m windmill show 17 --json
  python -m windmill --url http://localhost:8000 show 17

exit codes: 0 done, 1 failed, 2 wrong usage, or there is no such image, 70 a bug of Windmill
"""


def add_to(commands: Commands) -> None:
    add = add_command(commands, "show", "tell what is known of one image", DESCRIPTION, EXAMPLES)
    add.add_argument("image", metavar="PATH|URL|ID", help="the image")
    add_json(add)
    add.set_defaults(start=sync_command(run_show), remote=True)


def run_show(settings: Settings, arguments: argparse.Namespace) -> int:
    return print_view(asyncio.run(view_image(settings, arguments.image)), as_json=arguments.json)
