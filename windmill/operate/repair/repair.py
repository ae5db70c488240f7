"""Repair after a broker lost its queues: lost jobs are published again, stale images are marked."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, get_args

from windmill import broker
from windmill.core.setting_parts import DatabaseSettings
from windmill.core.settings import Settings
from windmill.core.stages import Stage
from windmill.kernels.text.tables import render_table
from windmill.operate.progress import OnProgress, ProgressUpdate, ignore_progress
from windmill.operate.recompute import mark_stale
from windmill.operate.repair.queued_images import QueuedImages
from windmill.operate.repair.republish import LostJobPublisher, RepairScope, UnansweredJobs, declare_missing
from windmill.storage import database
from windmill.submit.backpressure import QueueBackpressure
from windmill.submit.publishing import PagePublisher
from windmill.submit.runs import ProducerLock, RunProgress, Runs, take_producer_lock
from windmill.submit.selection import RegisteredImages

NAME = "windmill repair"
"""The name of its connections."""


@dataclass(frozen=True)
class RepairRequest:
    """`scan` is the longest queue that is read; with `force` longer ones are skipped, else they are an error."""

    services: tuple[str, ...]
    run_id: int | None = None
    image_group: str | None = None
    scan: int = 1_000_000
    force: bool = False
    max_queued: int = 1_000_000
    jobs: bool = True
    derived: bool = True
    dry_run: bool = False


@dataclass(frozen=True)
class RepublishedJobs:
    """Jobs that were published again, or would be, and how many waited or were parked before."""

    images: int
    by_service: Counter[str]
    waiting_by_service: dict[str, int]


@dataclass(frozen=True)
class RepairOutcome:
    """`jobs` is None where only derived rows were repaired; `stale_images` counts marked images by stage."""

    jobs: RepublishedJobs | None
    dry_run: bool
    interrupted: bool
    stale_images: Mapping[Stage, int] = field(default_factory=dict)


async def repair(
    settings: Settings,
    request: RepairRequest,
    stop: asyncio.Event,
    *,
    on_progress: OnProgress = ignore_progress,
    on_declared: Callable[[str], object] = lambda _: None,
) -> RepairOutcome:
    """Repair what was requested until it is done or `stop` is set; `on_declared` gets the services whose queues were
    missing."""
    scope = RepairScope(request.services, request.run_id, request.image_group)
    jobs: RepublishedJobs | None = None
    stale: dict[Stage, int] = {}
    async with database.connection(settings, NAME) as connection:
        await _must_exist(connection, settings, scope)
        if request.jobs:
            if not request.dry_run:
                for lock in get_args(ProducerLock):
                    await take_producer_lock(connection, settings, lock, other="a producer or another repair")
            unanswered = UnansweredJobs(connection, settings, scope)
            jobs = await _republish(settings, request, unanswered, stop, on_progress, on_declared)
        # Derived rows do not say which run they come from.
        if request.derived and request.run_id is None:
            stale = await mark_stale(
                connection, settings, request.image_group, stop, dry_run=request.dry_run, on_progress=on_progress
            )
    return RepairOutcome(jobs, request.dry_run, stop.is_set(), stale)


async def _must_exist(connection: database.Connection, settings: DatabaseSettings, scope: RepairScope) -> None:
    """A misspelt group or run would look like one that needs no repair."""
    if scope.run_id is not None:
        await Runs(connection, settings).require_run(scope.run_id)
    if scope.image_group:
        await RegisteredImages(connection, settings).require_group(scope.image_group)


async def _republish(
    settings: Settings,
    request: RepairRequest,
    unanswered: UnansweredJobs,
    stop: asyncio.Event,
    on_progress: OnProgress,
    on_declared: Callable[[str], object],
) -> RepublishedJobs:
    first, last = await unanswered.span()
    async with (
        broker.connection(settings, NAME) as opened,
        broker.connection(settings, f"{NAME} publishing") as publishing,
    ):
        if not request.dry_run:
            for service in await declare_missing(opened, settings, request.services):
                on_declared(service)
        queued = await _read_queues(opened, settings, request, stop, on_progress)
        async with broker.publisher(publishing, settings) as publisher:
            lost = LostJobPublisher(
                queued=queued.images,
                target=None if request.dry_run else publisher,
                room=QueueBackpressure(partial(_depths, opened, settings, request.services), request.max_queued),
                walk=PagePublisher(RunProgress(None, last, first), window=settings.publish_window),
                stop=stop,
                on_image=lambda reached: on_progress(ProgressUpdate("", "images", reached - first, last - first)),
            )
            if not stop.is_set():
                await lost.run(unanswered, first, last)
    waiting = {service: len(images) for service, images in queued.images.items()}
    return RepublishedJobs(lost.walk.images, lost.walk.jobs_by_service, waiting)


async def _depths(opened: broker.Connection, settings: Settings, services: Sequence[str]) -> dict[str, int]:
    """How many jobs wait in each work queue: lost jobs go to the queue from which they were lost."""
    ordinary = await broker.depths(opened, settings, services)
    urgent = await broker.depths(opened, settings, services, queue=broker.urgent_queue)
    return {service: max(ordinary[service], urgent[service]) for service in services}


async def _read_queues(
    opened: broker.Connection,
    settings: Settings,
    request: RepairRequest,
    stop: asyncio.Event,
    on_progress: OnProgress,
) -> QueuedImages:
    read = 0

    def count(messages: int) -> None:
        nonlocal read
        read += messages
        on_progress(ProgressUpdate("", "jobs read", read))

    count(0)
    queued = QueuedImages(settings, request.services, stop, count)
    await queued.read(opened, most=request.scan, force=request.force)
    return queued


def render_repair_json(outcome: RepairOutcome) -> dict[str, Any]:
    document: dict[str, Any] = {
        "dry_run": outcome.dry_run,
        "interrupted": outcome.interrupted,
        "stale_images": dict(outcome.stale_images),
    }
    if jobs := outcome.jobs:
        document |= {
            "images": jobs.images,
            "jobs": jobs.by_service.total(),
            "jobs_by_service": dict(jobs.by_service),
            "waiting_by_service": jobs.waiting_by_service,
        }
    return document


def render_repair_text(outcome: RepairOutcome) -> str:
    text = _render_jobs(outcome.jobs, dry_run=outcome.dry_run) if outcome.jobs else ""
    for stage, count in outcome.stale_images.items():
        text += f"{stage}: {count:,} images were stale without a mark\n"
    return text + ("interrupted; the same command does the rest\n" if outcome.interrupted else "")


def _render_jobs(jobs: RepublishedJobs, *, dry_run: bool) -> str:
    rows = [[service, count, jobs.waiting_by_service[service]] for service, count in sorted(jobs.by_service.items())]
    verb = "would publish" if dry_run else "published"
    listing = render_table(["service", "jobs", "waiting before"], rows) if rows else ""
    return f"{listing}{verb} {jobs.by_service.total():,} jobs for {jobs.images:,} images\n"
