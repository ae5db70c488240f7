"""python -m windmill learn: learn how far to trust each detector, without labels."""

import argparse

from windmill.cli.fitting import add_fitting, print_fitted
from windmill.cli.options import Commands, async_command
from windmill.core.settings import Settings

DESCRIPTION = """\
Learns from the answers in the database how far to trust the confidence of each detector: by what its boxes turn out to
be worth once other detectors have answered. It needs no labels, and images that two detectors or more have answered; a
few hundred are enough. Weak boxes are only ever trusted less than before, since detectors share mistakes.

From the images that all services have answered it also learns how far votes may trust merged boxes, by what captions
and classifiers make of them, and whether the fleet names much that is not there. It does so once: from the calibration
that Windmill comes with. With labels, calibrate does better.
"""
COMMAND = "learn --out calibration-learnt.json"
_IMAGES = 5000


def add_to(commands: Commands) -> None:
    told = "learn how far to trust each detector, without labels"
    add = add_fitting(commands, COMMAND, told, DESCRIPTION, "from the date")
    add.add_argument("--images", type=int, default=_IMAGES, metavar="N", help="the latest N images (default: 5000)")
    add.set_defaults(start=async_command(run_learn))


async def run_learn(settings: Settings, _stop: object, arguments: argparse.Namespace) -> int:
    # Imported here, because numpy would slow down the start of all other commands.
    from windmill.operate.calibration.learning import (
        LearnRequest,
        learn_calibration,
        render_learning_json,
        render_learning_text,
    )

    request = LearnRequest(arguments.group, arguments.images, arguments.out, arguments.name)
    outcome = await learn_calibration(settings, request)
    return print_fitted(render_learning_json(outcome), render_learning_text(outcome), arguments)
