"""python -m windmill calibrate: fit merging and voting to labelled images."""

import argparse
import sys
from pathlib import Path

from windmill.cli.options import Commands, add_json, async_command, print_result
from windmill.core.settings import Settings
from windmill.process.runner import DONE

DESCRIPTION = """\
Fits the constants of merging and voting to your own images. It reads their true boxes and labels from a COCO file and
the services' answers from the database, and matches images by file name. It fits on one half and evaluates on the
other, and reports the accuracy of boxes and votes before and after. A few hundred images are enough; with fewer, the
constants hardly change.

Without --out it only reports. With --out, set CALIBRATION to the new file on all machines, restart the post-processors,
and recompute old rows:

    python -m windmill calibrate --truth annotations.json --group holidays --out calibration-holidays.json
    python -m windmill recompute --stage merge --other-calibration
    python -m windmill recompute --stage consensus --other-calibration
"""
EXAMPLES = """\
exit codes: 0 done, 1 failed, 2 wrong usage, 70 a bug of Windmill
"""


def add_to(commands: Commands) -> None:
    add = commands.add_parser(
        "calibrate",
        help="fit merging and voting to labelled images",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add.add_argument("--truth", type=Path, required=True, metavar="FILE", help="annotations in the COCO format")
    add.add_argument("--group", metavar="G", help="only images of this group")
    add.add_argument("--out", type=Path, metavar="FILE", help="where to write the new calibration")
    add.add_argument("--name", metavar="V", help="its version, as recorded in rows (default: from --out and the date)")
    add_json(add)
    add.set_defaults(start=async_command(run_calibrate))


async def run_calibrate(settings: Settings, _stop: object, arguments: argparse.Namespace) -> int:
    # Imported here, because numpy would slow down the start of all other commands.
    from windmill.operate.calibration.calibrate import (
        CalibrationRequest,
        calibrate,
        render_calibration_json,
        render_calibration_text,
    )

    request = CalibrationRequest(arguments.truth, arguments.group, arguments.out, arguments.name)
    outcome = await calibrate(settings, request)
    print_result(render_calibration_json(outcome), render_calibration_text(outcome), as_json=arguments.json)
    if not arguments.out and not arguments.json:
        sys.stderr.write("nothing is written; with --out FILE it would be\n")
    return DONE
