"""python -m windmill calibrate: fit merging and voting to labelled images."""

import argparse
from pathlib import Path

from windmill.cli.fitting import add_fitting, print_fitted
from windmill.cli.options import Commands, async_command
from windmill.core.settings import Settings

DESCRIPTION = """\
Fits the constants of merging and voting to your own images. It reads their true boxes and labels from a COCO file and
the services' answers from the database, and matches images by file name. It fits on one half and evaluates on the
other, and reports the accuracy of boxes and votes before and after. A few hundred images are enough; with fewer, the
constants hardly change.
"""
COMMAND = "calibrate --truth annotations.json --group holidays --out calibration-holidays.json"


def add_to(commands: Commands) -> None:
    told = "fit merging and voting to labelled images"
    add = add_fitting(commands, COMMAND, told, DESCRIPTION, "from --out and the date")
    add.add_argument("--truth", type=Path, required=True, metavar="FILE", help="annotations in the COCO format")
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
    return print_fitted(render_calibration_json(outcome), render_calibration_text(outcome), arguments)
