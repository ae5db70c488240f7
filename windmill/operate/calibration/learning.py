"""Learning how far to trust each detector from this fleet's own answers, without labels, and saving it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.derive.calibration import Calibration, load_calibration
from windmill.kernels.boxes.box_learning import FEWEST_BOXES, DetectorReport, learn
from windmill.kernels.text.tables import render_table
from windmill.operate.calibration.calibrate import must_be_new, write_calibration
from windmill.operate.calibration.fitting import (
    PAGE_IMAGES,
    PartServices,
    predictions_for_merging,
    read_replies,
    services_by_part,
)
from windmill.storage import database
from windmill.storage.database import Connection
from windmill.storage.queries import queries
from windmill.submit.selection import RegisteredImages


@dataclass(frozen=True)
class LearnRequest:
    """Without `out` nothing is written; without `version` the day gives it."""

    image_group: str | None = None
    images: int = 5000
    out: Path | None = None
    version: str | None = None


@dataclass(frozen=True)
class LearnOutcome:
    """The calibration that was used, the learnt one, and what was seen of each detector."""

    before: Calibration
    after: Calibration
    images: int
    reports: Sequence[DetectorReport]
    out: Path | None


async def learn_calibration(settings: Settings, request: LearnRequest) -> LearnOutcome:
    """Learn from the latest images that several detectors have answered; write the result if the request names a
    file."""
    before = load_calibration(settings.calibration)
    services = services_by_part(load_fleet(settings.service_config))
    must_be_new(request.out)
    async with database.connection(settings, "windmill learn") as connection:
        if request.image_group:
            await RegisteredImages(connection, settings).require_group(request.image_group)
        history = await _history(connection, request, services)
    found = learn(history, before.boxes)
    if not any(one.learnt for one in found.reports):
        raise _too_few(len(history))
    version, origin = _name(request, len(history))
    after = replace(before, version=version, origin=origin, boxes=found.calibration)
    if request.out:
        write_calibration(request.out, after)
    return LearnOutcome(before, after, len(history), found.reports, request.out)


async def _history(connection: Connection, request: LearnRequest, services: PartServices) -> list[dict[str, object]]:
    """What the detectors said of each image, in its own pixels."""
    rows = await connection.fetch(
        queries()["find_images_of_several"], sorted(services.merging), request.image_group, request.images
    )
    ids = [row["image_id"] for row in rows]
    history = []
    for start in range(0, len(ids), PAGE_IMAGES):
        replies = await read_replies(connection, ids[start : start + PAGE_IMAGES])
        history += [predictions_for_merging(one, services) for one in replies.values()]
    return history


def _too_few(images: int) -> WindmillError:
    said = f"{images} images have answers of several detectors, and no detector has {FEWEST_BOXES} boxes in them"
    return WindmillError("CONFLICT", said, "submit more images to two detectors or more, or correct --group")


def _name(request: LearnRequest, images: int) -> tuple[str, str]:
    """The version and the origin."""
    today = datetime.now(UTC).date().isoformat()
    group = f" of group {request.image_group}" if request.image_group else ""
    origin = f"learnt from the answers to {images} images{group}, without labels, {today}"
    return request.version or f"learnt-{today}", origin


def render_learning_json(outcome: LearnOutcome) -> dict[str, Any]:
    return {
        "before": outcome.before.version,
        "after": outcome.after.version,
        "out": str(outcome.out or ""),
        "images": outcome.images,
        "detectors": {one.service: _document(one, outcome) for one in outcome.reports},
    }


def render_learning_text(outcome: LearnOutcome) -> str:
    columns = ["detector", "boxes", "confirmed", "missed", "offset", "slope", "silence"]
    rows = [[one.service, *_document(one, outcome).values()][:7] for one in outcome.reports]
    text = render_table(columns, [["-" if value is None else value for value in row] for row in rows])
    written = f"written to {outcome.out}: {outcome.after.version}, {outcome.after.origin}\n"
    return text + (written if outcome.out else "")


def _document(report: DetectorReport, outcome: LearnOutcome) -> dict[str, Any]:
    """What was seen of a detector, and the constants that follow."""
    now = outcome.after.boxes.of(report.service)
    return {
        "boxes": report.boxes,
        "confirmed": round(report.confirmed, 3),
        "missed": None if report.missed is None else round(report.missed, 3),
        "offset": now.offset,
        "slope": now.slope,
        "silence": now.silence,
        "learnt": report.learnt,
    }
