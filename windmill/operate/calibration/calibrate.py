"""Fitting a new calibration to labelled images, and saving it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from windmill.core.errors import WindmillError
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.derive.calibration import Calibration, load_calibration
from windmill.kernels.text.tables import render_table
from windmill.operate.calibration.annotations import read_annotations
from windmill.operate.calibration.fitting import (
    FEWEST,
    CalibrationReport,
    find_labelled_images,
    fit_calibration,
    services_by_part,
)
from windmill.storage import database
from windmill.submit.selection import RegisteredImages


@dataclass(frozen=True)
class CalibrationRequest:
    """`truth` is a COCO file. Without `out` nothing is written; without `version` the file and the day give it."""

    truth: Path
    image_group: str | None = None
    out: Path | None = None
    version: str | None = None


@dataclass(frozen=True)
class CalibrationOutcome:
    """The calibration that was used, the new one, and the scores of both on images that were not fitted on."""

    before: Calibration
    after: Calibration
    reports: Sequence[CalibrationReport]
    out: Path | None


async def calibrate(settings: Settings, request: CalibrationRequest) -> CalibrationOutcome:
    """Fit to the images that are both labelled and answered; write the result if the request names a file."""
    before = load_calibration(settings.calibration)
    truths = read_annotations(request.truth)
    must_be_new(request.out)
    async with database.connection(settings, "windmill calibrate") as connection:
        if request.image_group:
            await RegisteredImages(connection, settings).require_group(request.image_group)
        images = await find_labelled_images(connection, truths, request.image_group)
    if len(images) < FEWEST:
        found = f"{len(images)} of the {len(truths)} images in {request.truth} have answers, and {FEWEST} are needed"
        raise WindmillError("CONFLICT", found, "label more, submit them to the services, or correct --group")
    fitted, reports = fit_calibration(images, services_by_part(load_fleet(settings.service_config)), before)
    after = _named(fitted, request, len(images))
    if request.out:
        write_calibration(request.out, after)
    return CalibrationOutcome(before, after, reports, request.out)


def write_calibration(path: Path, calibration: Calibration) -> None:
    path.write_bytes(orjson.dumps(calibration.as_document(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))


def must_be_new(out: Path | None) -> None:
    """Rows store the version of the calibration that made them, so a saved calibration never changes."""
    if out is not None and out.exists():
        raise WindmillError(
            "CONFLICT", f"--out {out} is there already", "name a new file; the old one says what older rows rest on"
        )
    if out is not None and not out.parent.is_dir():
        raise WindmillError(
            "NOT_FOUND", f"--out {out}: there is no folder {out.parent}", "make it, or name another file"
        )


def _named(fitted: Calibration, request: CalibrationRequest, images: int) -> Calibration:
    today = datetime.now(UTC).date().isoformat()
    stem = (request.out or request.truth).stem
    group = f" of group {request.image_group}" if request.image_group else ""
    origin = f"fitted on {images} images{group} labelled in {request.truth.name}, {today}"
    return replace(fitted, version=request.version or f"{stem}-{today}", origin=origin)


def render_calibration_json(outcome: CalibrationOutcome) -> dict[str, Any]:
    parts = {one.part: {"images": one.images, "before": one.before, "after": one.after} for one in outcome.reports}
    out = str(outcome.out or "")
    return {"before": outcome.before.version, "after": outcome.after.version, "out": out, "parts": parts}


def render_calibration_text(outcome: CalibrationOutcome) -> str:
    rows = [
        [f"{one.part}: {score}", round(value, 3), round(one.after[score], 3)]
        for one in outcome.reports
        for score, value in one.before.items()
    ]
    text = render_table(["on the images that judge", f"before ({outcome.before.version})", "after"], rows)
    written = f"written to {outcome.out}: {outcome.after.version}, {outcome.after.origin}\n"
    return text + (written if outcome.out else "")
