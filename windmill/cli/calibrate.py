"""python -m windmill calibrate: fit the reliability of the services to labelled images."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from windmill.cli.options import Commands, add_json, say, until_stopped
from windmill.core.errors import WindmillError
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.kernels.text.tables import render_table
from windmill.operate.annotations import read_annotations
from windmill.process.runner import DONE
from windmill.storage import database
from windmill.storage.queries import queries

if TYPE_CHECKING:
    from windmill.derive.calibration import Calibration
    from windmill.operate.calibrate import Report

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
    add.set_defaults(start=until_stopped(run_calibrate))


async def run_calibrate(settings: Settings, _stop: object, arguments: argparse.Namespace) -> int:
    # Here, because numpy is a burden to all other commands.
    from windmill.derive.calibration import load_calibration
    from windmill.operate.calibrate import FEWEST, calibrated, labelled, services_of

    start = load_calibration(settings.calibration)
    truths = read_annotations(arguments.truth)
    _must_be_new(arguments.out)
    async with database.connection(settings, "windmill calibrate") as connection:
        if arguments.group and not await connection.fetchval(queries()["group_exists"], arguments.group):
            raise WindmillError("NOT_FOUND", f"no image has the group {arguments.group!r}", "correct --group")
        images = await labelled(connection, truths, arguments.group)
    if len(images) < FEWEST:
        found = f"{len(images)} of the {len(truths)} images in {arguments.truth} have answers, and {FEWEST} are needed"
        raise WindmillError("CONFLICT", found, "label more, submit them to the services, or correct --group")
    fitted, reports = calibrated(images, services_of(load_fleet(settings.service_config)), start)
    named = _named(fitted, arguments, len(images))
    if arguments.out:
        arguments.out.write_bytes(orjson.dumps(named.as_document(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
    _report(reports, start, named, arguments)
    return DONE


def _must_be_new(out: Path | None) -> None:
    """Rows bear the name of what they were made with; that must not become something else."""
    if out is not None and out.exists():
        raise WindmillError(
            "CONFLICT", f"--out {out} is there already", "name a new file; the old one says what older rows rest on"
        )
    if out is not None and not out.parent.is_dir():
        raise WindmillError(
            "NOT_FOUND", f"--out {out}: there is no folder {out.parent}", "make it, or name another file"
        )


def _named(fitted: "Calibration", arguments: argparse.Namespace, images: int) -> "Calibration":
    today = datetime.now(UTC).date().isoformat()
    stem = arguments.out.stem if arguments.out else arguments.truth.stem
    group = f" of group {arguments.group}" if arguments.group else ""
    origin = f"fitted on {images} images{group} labelled in {arguments.truth.name}, {today}"
    return replace(fitted, version=arguments.name or f"{stem}-{today}", origin=origin)


def _report(
    reports: Sequence["Report"], start: "Calibration", named: "Calibration", arguments: argparse.Namespace
) -> None:
    parts = {one.part: {"images": one.images, "before": one.before, "after": one.after} for one in reports}
    document = {"before": start.version, "after": named.version, "out": str(arguments.out or ""), "parts": parts}
    rows = [
        [f"{one.part}: {figure}", round(value, 3), round(one.after[figure], 3)]
        for one in reports
        for figure, value in one.before.items()
    ]
    text = render_table(["on the images that judge", f"before ({start.version})", "after"], rows)
    text += f"written to {arguments.out}: {named.version}, {named.origin}\n" if arguments.out else ""
    say(document, text, as_json=arguments.json)
    if not arguments.out and not arguments.json:
        sys.stderr.write("nothing is written; with --out FILE it would be\n")
