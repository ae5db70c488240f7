"""What was given up: grouped by code and service, tried again, or thrown away, as `windmill failed` does. An action is
counted first, and done only to as many as were counted."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import Form, Query, Request, Response
from pydantic import Field

from gateway.context import Context, Gateway, Who
from gateway.failed.naming import named_failure
from gateway.guard import Operator, Viewer
from gateway.pages.code_words import code_words
from gateway.pages.failures.views import AnswersView, ParkedView, SweepView, failures_view
from gateway.pages.flash import go_on
from gateway.pages.forms import PageForm, local_path
from gateway.pages.page_route import page_router
from gateway.pages.rendering import Shown, changes, page
from windmill.operate.dead_letters.codes import checked_codes
from windmill.operate.dead_letters.dead_letter import DeadLetterFilter
from windmill.operate.dead_letters.listing import DeadLetterListing, list_dead_letters
from windmill.operate.dead_letters.muting import (
    Muting,
    hear_failure,
    mute_failure,
    read_muted,
    read_resolved,
)
from windmill.operate.dead_letters.serving import SCANNED, SweepRequest, sweep_dead_letters
from windmill.operate.dead_letters.sweep import SweepAction
from windmill.operate.images.failed_answers import list_failed_answers
from windmill.operate.services import find_service

router = page_router()
LOOKED_AT = 1_000
"""Messages that a page reads of each queue."""
SHOWN, RESOLVED = 200, 10
Name = Annotated[str, Query(max_length=64)]
Code = Annotated[str, Query(max_length=64)]


class SweepForm(PageForm):
    """`expect` is the number that the one who asks has seen."""

    service: Annotated[str, Field(min_length=1, max_length=64)]
    code: Annotated[str, Field(max_length=64)] = ""
    expect: Annotated[int, Field(ge=0, le=SCANNED)]


class FailureForm(PageForm):
    """The failures of a service with one code, empty for messages without."""

    service: Annotated[str, Field(min_length=1, max_length=64)]
    code: Annotated[str, Field(max_length=64)] = ""


class MuteForm(FailureForm):
    reason: Annotated[str, Field(max_length=1_000, pattern=r"^[^\x00]*$")] = ""
    minutes: Annotated[int, Field(ge=1, le=525_600)] | None = None
    """For how long; for good if nothing is given."""


def _selection(code: str) -> DeadLetterFilter:
    return DeadLetterFilter(checked_codes([code]) if code else None)


async def _listed(gateway: Gateway, service: str, code: str) -> DeadLetterListing:
    fleet = await gateway.image_fleet.fleet()
    names = [find_service(fleet, service).name] if service else list(fleet.services)
    return await list_dead_letters(
        gateway.settings, names, _selection(code), asyncio.Event(), scan=LOOKED_AT, keep=len(names) * LOOKED_AT
    )


@router.get("/ui/failures")
async def failures(request: Request, gateway: Context, _: Viewer, service: Name = "", code: Code = "") -> Response:
    """Parked jobs by service and code."""
    services, pool = list((await gateway.image_fleet.fleet()).services), gateway.access.pool
    listed, muted, resolved = await asyncio.gather(
        _listed(gateway, service, code),
        read_muted(pool, gateway.settings),
        read_resolved(pool, gateway.settings, [service] if service else services, RESOLVED),
    )
    return page(request, _shown(failures_view(listed, services, service, code, muted, resolved)))


@router.get("/ui/live/failures")
async def parked_now(request: Request, gateway: Context, _: Viewer) -> Response:
    """Only how many there are: reading them again and again would keep the queues busy."""
    status = await gateway.image_fleet.recent_status()
    held = {one.service: one.parked or 0 for one in status.services}
    view = failures_view(DeadLetterListing(held=held), list(held), "", "")
    return changes(request, _shown(view))


def _shown(view: object) -> Shown:
    return Shown("failures/page.html", "Failures", "failures", view, live="/ui/live/failures", json="/failed")


@router.get("/ui/failures/jobs")
async def parked_jobs(request: Request, gateway: Context, _: Viewer, service: Name, code: Code = "") -> Response:
    """The jobs of a group, one by one."""
    found = await _listed(gateway, service, code)
    view = ParkedView(service, code, found.jobs[:SHOWN], found.counts.total(), code_words(code or None)[1])
    shown = Shown("failures/jobs.html", f"Parked jobs of {service}", "failures", view)
    return page(request, shown)


@router.get("/ui/failures/answers")
async def failed_answers(request: Request, gateway: Context, _: Viewer, service: Name, code: Code) -> Response:
    """The images to which a service has answered with a failure."""
    name, [known] = find_service(await gateway.image_fleet.fleet(), service).name, checked_codes([code])
    answers = await list_failed_answers(gateway.access.pool, gateway.settings, name, known, SHOWN)
    view = AnswersView(name, known, answers, code_words(known)[1], SHOWN)
    return page(request, Shown("failures/answers.html", f"{known} of {name}", "overview", view))


@router.get("/ui/failures/{action}")
async def ask_whether(
    request: Request,
    gateway: Context,
    _: Operator,
    who: Who,
    action: Literal["redrive", "purge"],
    service: Name,
    code: Code = "",
) -> Response:
    """How many it would be, before anything is done."""
    name = find_service(await gateway.image_fleet.fleet(), service).name
    counted = SweepRequest(action, [name], _selection(code), SCANNED, dry_run=True)
    outcome = await sweep_dead_letters(gateway.access.pool, gateway.settings, who, counted)
    breakers = {one.service: one.breaker for one in (await gateway.image_fleet.recent_status()).services}
    view = SweepView(action, name, code, outcome.counts.total(), breakers.get(name))
    return page(request, Shown("failures/sweep.html", f"{action.capitalize()} jobs", "failures", view))


@router.post("/ui/failures/redrive")
async def redrive(
    request: Request, gateway: Context, _: Operator, who: Who, form: Annotated[SweepForm, Form()]
) -> Response:
    """Back to their queue, with their tries counted anew."""
    number = await _sweep(gateway, who, form, "redrive")
    return go_on(request, "/ui/failures", f"{number:,} jobs of {form.service} are in its queue again.")


@router.post("/ui/failures/purge")
async def purge(
    request: Request, gateway: Context, _: Operator, who: Who, form: Annotated[SweepForm, Form()]
) -> Response:
    """Thrown away; what is known of their images stays."""
    number = await _sweep(gateway, who, form, "purge")
    return go_on(request, "/ui/failures", f"{number:,} parked jobs of {form.service} were thrown away.")


@router.post("/ui/failures/mute")
async def mute(
    request: Request, gateway: Context, _: Operator, who: Who, form: Annotated[MuteForm, Form()]
) -> Response:
    """Listed apart from the others, for a while or for good: somebody knows of it."""
    service, code = await named_failure(gateway, form.service, form.code)
    until = datetime.now(UTC) + timedelta(minutes=form.minutes) if form.minutes else None
    await mute_failure(gateway.access.pool, gateway.settings, who, Muting(service, code, form.reason, until))
    back = local_path(form.back, "/ui/failures")
    return go_on(request, back, f"{code or 'What has no code'} at {service} is muted.")


@router.post("/ui/failures/hear")
async def hear(
    request: Request, gateway: Context, _: Operator, who: Who, form: Annotated[FailureForm, Form()]
) -> Response:
    """Listed among the others again."""
    service, code = await named_failure(gateway, form.service, form.code)
    await hear_failure(gateway.access.pool, gateway.settings, who, service, code)
    back = local_path(form.back, "/ui/failures")
    return go_on(request, back, f"{code or 'What has no code'} at {service} is muted no more.")


async def _sweep(gateway: Gateway, who: Who, form: SweepForm, action: SweepAction) -> int:
    name = find_service(await gateway.image_fleet.fleet(), form.service).name
    asked = SweepRequest(action, [name], _selection(form.code), SCANNED, form.expect)
    outcome = await sweep_dead_letters(gateway.access.pool, gateway.settings, who, asked)
    gateway.image_fleet.forget_status()
    return outcome.counts.total()
