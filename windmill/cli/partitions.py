"""python -m windmill partitions: keep partitions of the table results ready."""

import argparse
import asyncio

from windmill.cli.options import Commands, add_json, int_between, print_result, sync_command
from windmill.core.setting_parts import DatabaseSettings
from windmill.operate.partitions import (
    MOST_AT_ONCE,
    PartitionRequest,
    make_partitions,
    render_partitions_json,
    render_partitions_text,
)
from windmill.process.runner import DONE

DESCRIPTION = """\
Creates the next partitions of the table results, ahead of the greatest image id. Run it once a day, or after
registering images. Existing partitions stay unchanged, and a second run does nothing. Rows whose partition did not
exist yet are in results_rest, and move when it is created.

The first time, --convert makes results a partitioned table. The existing table becomes the first partition without
copying. It is read once while everything keeps running; then all writers wait for a moment.
"""


def add_to(commands: Commands) -> None:
    add = commands.add_parser(
        "partitions",
        help="split the table results into partitions of manageable size",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add.add_argument(
        "--size", type=int_between(1_000), default=1_000_000, metavar="N", help="images per partition (%(default)s)"
    )
    add.add_argument(
        "--ahead",
        type=int_between(1, MOST_AT_ONCE),
        default=10,
        metavar="N",
        help="partitions to create in advance (%(default)s)",
    )
    add.add_argument("--convert", action="store_true", help="make results a partitioned table if it is not one yet")
    add.add_argument("--dry-run", action="store_true", help="print what would be done; change nothing")
    add_json(add)
    add.set_defaults(start=sync_command(run_partitions))


def run_partitions(settings: DatabaseSettings, arguments: argparse.Namespace) -> int:
    request = PartitionRequest(arguments.size, arguments.ahead, arguments.convert, arguments.dry_run)
    outcome = asyncio.run(make_partitions(settings, request))
    print_result(render_partitions_json(outcome), render_partitions_text(outcome), as_json=arguments.json)
    return DONE
