"""A run as an answer."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

from gateway.context import Gateway
from gateway.hiding import hide_paths_within
from gateway.runs.shapes import ImageAnswers, ImageResultShape, RunDetails, RunSummary
from windmill.operate.runs.outlook import MOST_COUNTED, RunAnswers, RunOutlook, RunRow, outlook
from windmill.operate.runs.reading import AnsweredImage, ImageResult, count_answers
from windmill.operate.show.render import render_findings_json
from windmill.operate.status.figures import FleetStatus

_NOTHING = {
    "new": "nothing new: these images were submitted to these services before; the selection all asks again",
    "missing": "nothing missing: an answer is there of all; the selection all asks again",
    "failed": "nothing failed: no answer is an error; the selection all asks again",
    "all": "there are no such images",
}
_INNER = ("first_image_id", "until_image_id", "last_image_id", "image_group")


def summary(run: RunRow) -> RunSummary:
    return RunSummary.model_validate(_told(run))


async def details(gateway: Gateway, run: RunRow) -> RunDetails:
    _, found = await look_at(gateway, run, gateway.image_fleet.status)
    note = _NOTHING[run.selection] if run.finished_at and not run.jobs and not run.cancelled_at else None
    return RunDetails.model_validate({**_told(run), **asdict(found), "note": note})


async def look_at(
    gateway: Gateway, run: RunRow, status: Callable[[], Awaitable[FleetStatus]]
) -> tuple[Mapping[str, RunAnswers] | None, RunOutlook]:
    """How far it is, service by service and as a whole. What the queues hold is asked only for a run that is too long
    to be counted, or goes on."""
    counted = await count_answers(gateway.access.pool, gateway.settings, run)
    done = run.finished_at is not None and sum(one.answered for one in (counted or {}).values()) >= run.jobs
    ended = run.cancelled_at is not None or (done and run.jobs <= MOST_COUNTED)
    services = {} if ended else {one.service: one for one in (await status()).services}
    return counted, outlook(run, counted, services)


def _told(run: RunRow) -> dict[str, Any]:
    kept = {name: value for name, value in asdict(run).items() if name not in _INNER}
    return {**kept, "services": list(run.services), "group": run.image_group, "published": round(run.published, 4)}


def answers_of(image: AnsweredImage) -> ImageAnswers:
    """What a service has sent is left as it is; what workers say of a failure tells of no folder."""
    told = asdict(image)
    answers = [{**one, "error_message": hide_paths_within(one["error_message"])} for one in told["answers"]]
    return ImageAnswers.model_validate({**told, "answers": answers})


def result_of(result: ImageResult) -> ImageResultShape:
    """The same with what was found in the image."""
    found = hide_paths_within(render_findings_json(result.findings))
    told = {name: found[name] for name in ("boxes", "votes", "open_stages")}
    return ImageResultShape.model_validate({**answers_of(result.image).model_dump(), **told})
