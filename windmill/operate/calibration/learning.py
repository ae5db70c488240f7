"""Learning how far to trust detectors and merged boxes from this fleet's own answers, without labels, and saving it."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.derive.calibration import Calibration, load_calibration
from windmill.kernels.boxes.box_learning import FEWEST_BOXES, DetectorReport, learn
from windmill.kernels.boxes.fusion import merge
from windmill.kernels.text.tables import render_table
from windmill.kernels.votes.vote_design import VoteExample
from windmill.kernels.votes.vote_learning import LearntVotes, VoteHistory
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
    """The calibration that was used, the learnt one, and what was seen of each detector and of votes."""

    before: Calibration
    after: Calibration
    images: int
    reports: Sequence[DetectorReport]
    votes: LearntVotes
    voted: int
    """The images with all answers, from which votes were learnt."""
    out: Path | None


_Replies = Mapping[str, Mapping[str, Any]]


async def learn_calibration(settings: Settings, request: LearnRequest) -> LearnOutcome:
    """Learn from the latest images that several detectors have answered; write the result if the request names a
    file. They are read twice: votes need the boxes that what was learnt of detectors makes."""
    before = load_calibration(settings.calibration)
    services = services_by_part(load_fleet(settings.service_config))
    must_be_new(request.out)
    async with database.connection(settings, "windmill learn") as connection:
        if request.image_group:
            await RegisteredImages(connection, settings).require_group(request.image_group)
        ids = await _images_of_several(connection, request, services)
        answered: Counter[str] = Counter()
        history = []
        async for replies in _images(connection, ids):
            answered.update(replies.keys() & services.voting)
            history.append(predictions_for_merging(replies, services))
        found = learn(history, before.boxes)
        if not any(one.learnt for one in found.reports):
            raise _too_few(len(history))
        merged = replace(before, boxes=found.calibration)
        everybody = {service for service, images in answered.items() if 2 * images > len(history)}
        votes, voted = await _learn_votes(_images(connection, ids), everybody, merged, services)
    version, origin = _name(request, len(history))
    after = replace(merged, version=version, origin=origin, votes=votes.calibration)
    if request.out:
        write_calibration(request.out, after)
    return LearnOutcome(before, after, len(history), found.reports, votes, voted, request.out)


async def _images_of_several(connection: Connection, request: LearnRequest, services: PartServices) -> list[int]:
    rows = await connection.fetch(
        queries()["find_images_of_several"], sorted(services.merging), request.image_group, request.images
    )
    return [row["image_id"] for row in rows]


async def _images(connection: Connection, ids: Sequence[int]) -> AsyncIterator[_Replies]:
    """What the services said of each image, in its own pixels."""
    for start in range(0, len(ids), PAGE_IMAGES):
        for replies in (await read_replies(connection, ids[start : start + PAGE_IMAGES])).values():
            yield replies


async def _learn_votes(
    images: AsyncIterator[_Replies], everybody: set[str], calibration: Calibration, services: PartServices
) -> tuple[LearntVotes, int]:
    """What is learnt from the images that all services of this fleet have answered, and how many these are."""
    history, count = VoteHistory(calibration.votes), 0
    async for replies in images:
        if everybody <= replies.keys():
            boxes = merge(predictions_for_merging(replies, services), calibration.boxes).boxes
            answers = {service: replies[service] for service in replies.keys() & services.voting}
            history.add(VoteExample(answers, frozenset(), [box.as_data() for box in boxes]))
            count += 1
    return history.learn(), count


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
        "votes": _votes_document(outcome),
    }


def render_learning_text(outcome: LearnOutcome) -> str:
    columns = ["detector", "boxes", "confirmed", "missed", "offset", "slope", "silence"]
    rows = [[one.service, *_document(one, outcome).values()][:7] for one in outcome.reports]
    text = render_table(columns, [["-" if value is None else value for value in row] for row in rows])
    written = f"written to {outcome.out}: {outcome.after.version}, {outcome.after.origin}\n"
    return f"{text}\n{_votes_text(outcome)}\n" + (written if outcome.out else "")


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


def _votes_document(outcome: LearnOutcome) -> dict[str, Any]:
    """What was seen of votes, and the constants that follow."""
    votes, look = outcome.after.votes, outcome.votes.look
    return {
        "images": outcome.voted,
        "named": look.named,
        "shown": look.shown,
        "told": round(look.told, 3),
        "voice": votes.boxes.voice,
        "slope": votes.boxes.slope,
        "again": votes.boxes.again,
        "prior": votes.prior,
        "learnt": not outcome.votes.kept,
        "kept": outcome.votes.kept,
    }


def _votes_text(outcome: LearnOutcome) -> str:
    """The same in a few lines."""
    look, before, after = outcome.votes.look, outcome.before.votes, outcome.after.votes
    seen = f"votes: {outcome.voted} images have all answers; they name {look.named} emojis, and boxes show {look.shown}"
    if outcome.votes.kept:
        return f"{seen}\nnothing is learnt: {outcome.votes.kept}"
    weight, prior = _change(before.boxes.voice, after.boxes.voice), _change(before.prior, after.prior)
    return f"{seen}\nweight of a box with a confidence of .5: {weight}\nlog-odds with which an emoji begins: {prior}"


def _change(before: float, after: float) -> str:
    return f"{after} (as before)" if after == before else f"{after} (before: {before})"
