"""python -m windmill show: what is known of one image, in words."""

import argparse
import asyncio

from windmill.cli.options import Commands, add_json, print_result, sync_command
from windmill.core.settings import Settings
from windmill.operate.show.reading import show_image
from windmill.operate.show.render import render_report_json, render_report_text
from windmill.process.runner import DONE

DESCRIPTION = """\
What is known of one image: each vote with the sentence that says why, the boxes and what services say about them, who
answered, failed or is awaited, and the remedy for each failure. Name the image by its id, its path or its URL.
"""


def add_to(commands: Commands) -> None:
    add = commands.add_parser("show", help="tell what is known of one image", description=DESCRIPTION)
    add.add_argument("image", metavar="PATH|URL|ID", help="the image")
    add_json(add)
    add.set_defaults(start=sync_command(run_show))


def run_show(settings: Settings, arguments: argparse.Namespace) -> int:
    report = asyncio.run(show_image(settings, arguments.image, settings.image_root))
    print_result(render_report_json(report), render_report_text(report), as_json=arguments.json)
    return DONE
