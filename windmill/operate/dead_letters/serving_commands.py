"""What `windmill failed` does, here or over HTTP: looking at parked jobs, redriving and purging them."""

import asyncio
from dataclasses import dataclass
from typing import Literal

from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.operate.dead_letters import remote
from windmill.operate.dead_letters.by_image import render_images_text
from windmill.operate.dead_letters.dead_letter import DeadLetterFilter
from windmill.operate.dead_letters.listing import list_dead_letters, show_dead_letters
from windmill.operate.dead_letters.render import (
    render_details_json,
    render_details_text,
    render_listing_json,
    render_listing_text,
    render_totals,
    render_unread,
)
from windmill.operate.dead_letters.sweep import SweepAction, SweepOutcome, preview_sweep, purge, redrive
from windmill.operate.over_http import over_http
from windmill.operate.progress import OnProgress
from windmill.operate.view import View
from windmill.process.runner import FAILED, INTERRUPTED

ListForm = Literal["jobs", "summary", "images"]


@dataclass(frozen=True)
class FailedAsk:
    """Which parked jobs: the first `scan` messages of each queue are looked at, and at most `keep` shown."""

    services: str
    selection: DeadLetterFilter
    scan: int
    keep: int
    form: ListForm = "jobs"


@dataclass(frozen=True)
class SweepAsk:
    """What is to be done with which parked jobs: at most `limit` of them, `rate` a second."""

    action: SweepAction
    services: str
    selection: DeadLetterFilter
    scan: int
    limit: int | None = None
    rate: int | None = None
    dry_run: bool = False


@over_http(remote.view_failed)
async def view_failed(settings: Settings, ask: FailedAsk, stop: asyncio.Event) -> View:
    """Parked jobs, with a summary."""
    services = _services(settings, ask.services)
    found = await list_dead_letters(settings, services, ask.selection, stop, scan=ask.scan, keep=ask.keep)
    jobs = [] if ask.form == "summary" else found.jobs
    by_image = ask.form == "images" and jobs
    text = f"{render_images_text(jobs)}\n{render_totals(found, jobs)}" if by_image else render_listing_text(found, jobs)
    code = INTERRUPTED if stop.is_set() else 0
    return View(render_listing_json(found, jobs), text, render_unread(settings, found), code)


@over_http(remote.view_failed_image)
async def view_failed_image(settings: Settings, services: str, image_id: int, scan: int, stop: asyncio.Event) -> View:
    """All that is known of the parked jobs of one image."""
    found = await show_dead_letters(settings, _services(settings, services), image_id, stop, scan=scan)
    notes = render_unread(settings, found.listing)
    details = render_details_json(found)
    if not details:
        said = f"no job of image {image_id} is parked for --services {services}"
        return View([], "", [*notes, said], FAILED)
    return View(details, render_details_text(details), notes)


@over_http(remote.sweep_failed)
async def sweep_failed(settings: Settings, ask: SweepAsk, stop: asyncio.Event, on_progress: OnProgress) -> SweepOutcome:
    """Redrive or purge, or only count."""
    services, selected, limit = _services(settings, ask.services), ask.selection, ask.limit
    if ask.dry_run:
        return await preview_sweep(settings, services, selected, stop, ask.action, scan=ask.scan, limit=limit)
    if ask.action == "redrive":
        return await redrive(settings, services, selected, stop, limit=limit, rate=ask.rate, on_progress=on_progress)
    return await purge(settings, services, selected, stop, limit=limit, on_progress=on_progress)


def _services(settings: Settings, named: str) -> list[str]:
    return [service.name for service in load_fleet(settings.service_config).select(named)]
