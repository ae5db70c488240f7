"""Sends each merged box to the services that analyse boxes: python -m postprocessors.spatial_enrichment

As `enriches` in service_config.json says, persons go to face and pose, and every box to colors. Any number of these may
run. Each box goes to each service once, however often the boxes of its image are merged again; its enrichment is
deleted with the box. .env.example describes every setting.
"""

import asyncio
import logging
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from postprocessors.box_answers import NO_BOXES, BoxNumbers, open_answers, replace_answers
from postprocessors.box_calls import EnrichmentResult, EnrichmentRetry, EnrichmentRow, PendingBox
from postprocessors.box_enricher import Enricher
from postprocessors.stage_loop import StageRunner, start
from windmill.calling.canary_watch import SETTLE_SECONDS
from windmill.calling.service_client import ServiceClient
from windmill.calling.service_state import ServiceState
from windmill.core.errors import ERROR_CODES, Code, WindmillError
from windmill.core.log_throttle import Throttle
from windmill.core.messages import Job
from windmill.core.outcomes import is_code_from_service
from windmill.core.service_access import load_access, secrets_of
from windmill.core.services import Fleet
from windmill.core.settings import Settings
from windmill.core.stages import Stage
from windmill.derive.claims import retry_seconds
from windmill.derive.leases import end_lease, postpone_lease, renew_lease, take_lease
from windmill.derive.stored_answers import parse_answers
from windmill.derive.stored_boxes import parse_boxes
from windmill.derive.transactions import lock_images
from windmill.derive.waiting_stages import wake_waiting_stages
from windmill.media.image.change import KnownImage
from windmill.media.image.decoder import ImageDecoder
from windmill.media.image.source import ImageSource
from windmill.process import logs
from windmill.process.runner import background
from windmill.storage.canaries import CanaryNotes
from windmill.storage.database import Pool, translate_errors
from windmill.storage.fleet_slots import FleetSlotTable
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

logger = logging.getLogger("postprocessors")


@dataclass(frozen=True)
class ImageToEnrich:
    """An image, and its boxes with the services that have not yet answered."""

    job: Job | None
    boxes: list[PendingBox] = field(default_factory=list)
    known: KnownImage = field(default_factory=KnownImage)
    numbers: BoxNumbers = NO_BOXES


class EnrichRunner:
    """Runs the stage `enrich`. It calls services, so it holds leases instead of a transaction meanwhile."""

    stage: Stage = "enrich"

    def __init__(
        self, pool: Pool, settings: Settings, enricher: Enricher, parts: Sequence[AbstractAsyncContextManager[Any]]
    ) -> None:
        """`parts` are context managers that the runner enters in this order: the enricher after what it needs."""
        self.counts: Counter[str] = Counter()
        self.states: Iterable[ServiceState] = enricher.states.values()
        self._pool = pool
        self._settings = settings
        self._enricher = enricher
        self._throttle = Throttle()
        self._next_lease = 0.0
        self._leases: dict[int, uuid.UUID] = {}
        self._running: dict[asyncio.Task[None], int] = {}
        self._parts = parts
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> "EnrichRunner":
        for part in self._parts:
            await self._opened.enter_async_context(part)
        await self._opened.enter_async_context(background(self._renew_leases()))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Finish images that have begun within the shutdown grace, then cancel; the rest is due again at once."""
        if self._running:
            await asyncio.wait(self._running, timeout=self._settings.shutdown_grace_seconds)
        left = {image: self._leases[image] for task, image in self._running.items() if not task.done()}
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._opened.aclose()
        if left:
            logger.warning("images not finished in SHUTDOWN_GRACE_SECONDS are left to others", extra={"n": len(left)})
            async with transaction(self._pool, self._settings) as connection:
                for image_id, token in left.items():
                    await postpone_lease(connection, self.stage, image_id, token, 0.0)

    async def run_round(self, stop: asyncio.Event) -> int:
        """Lease images while half of the room is free, so that one transaction leases several; then wait until one is
        done or the next poll."""
        free = self._settings.enrich_images - len(self._running)
        found = 0
        if 2 * free >= self._settings.enrich_images and not stop.is_set() and self._may_lease():
            leased = await take_lease(self._pool, self._settings, self.stage, free)
            found = leased.found
            poll = self._settings.poll_milliseconds / 1000
            self._next_lease = time.monotonic() + (poll if found < free else 0.0)
            rows = await self._read(list(leased.tries))
            for image_id, tries in leased.tries.items():
                self._leases[image_id] = leased.token
                task = asyncio.create_task(self._enrich_image(image_id, rows.get(image_id), leased.token, tries))
                self._running[task] = image_id
        return found + await self._finished()

    @property
    def busy(self) -> bool:
        return bool(self._running)

    def _may_lease(self) -> bool:
        """Whether a service may be called, and images may have come since the last time that there were too few."""
        come = not self._running or time.monotonic() >= self._next_lease
        return come and not self._enricher.seconds_until_any_available()

    async def _finished(self) -> int:
        """How many images ended; raises database errors."""
        if not self._running:
            return 0
        seconds = self._settings.poll_milliseconds / 1000
        done, _ = await asyncio.wait(self._running, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            self._leases.pop(self._running.pop(task), None)
        for task in done:
            task.result()
        return len(done)

    async def _renew_leases(self) -> None:
        while True:
            await asyncio.sleep(self._settings.lease_seconds / 3)
            for token in set(self._leases.values()):
                images = [image_id for image_id, held in self._leases.items() if held == token]
                try:
                    await renew_lease(self._pool, self._settings, self.stage, token, images)
                except WindmillError as error:
                    logger.debug("leases could not be renewed: %s", error)

    async def _read(self, image_ids: list[int]) -> dict[int, Any]:
        """The rows of these images, as the driver gives them."""
        if not image_ids:
            return {}
        with translate_errors(self._settings):
            rows = await self._pool.fetch(queries()["read_images_to_enrich"], image_ids)
        return {row["image_id"]: row for row in rows}

    async def _enrich_image(self, image_id: int, row: Any, token: uuid.UUID, tries: int) -> None:  # noqa: ANN401 - the driver's
        try:
            image = self._parse(row)
            if tries >= self._settings.delivery_limit:
                result = _worker_lost(image.boxes, tries)
            else:
                result = await self._enrich(image)
            if not await self._write(image_id, token, image.numbers, result):
                self._log_lost_lease(image_id)
                return
            self._log_failures(image_id, result)
            ended: list[EnrichmentRow | EnrichmentRetry] = [*result.rows, *result.retries]
            calls = sum(is_code_from_service(one.error_code) for one in ended)
            self.counts.update(looked_at=1, changed=int(bool(result.rows)), calls=calls)
        except WindmillError:
            raise  # the database is away: the lease expires, and the image is due again
        except Exception:
            self.counts["failed"] += 1
            logger.exception("an image cannot be enriched", extra={"image_id": image_id, "tries": tries})
            seconds = retry_seconds(tries + 1)
            async with transaction(self._pool, self._settings) as connection:
                await postpone_lease(connection, self.stage, image_id, token, seconds, failed=True)

    def _log_lost_lease(self, image_id: int) -> None:
        self.counts["lost_leases"] += 1
        if admitted := self._throttle.admit("lost lease"):
            message = "a lease expired while its image was enriched; another process does the image, and these rows go"
            logger.warning(message, extra={"image_id": image_id, **admitted.extra()})

    def _log_failures(self, image_id: int, result: EnrichmentResult) -> None:
        """Log final failures, which are not retried."""
        for one in result.rows:
            if one.error_code and (admitted := self._throttle.admit(one.error_code)):
                context = {"image_id": image_id, "service": one.service, "code": one.error_code}
                remedy = f"{ERROR_CODES[one.error_code].remedy}; then python -m windmill recompute --stage enrich"
                why = {"reason": one.error_message, "remedy": remedy}
                logger.warning("a box failed", extra=context | why | admitted.extra())

    async def _enrich(self, image: ImageToEnrich) -> EnrichmentResult:
        if not image.boxes:
            return EnrichmentResult()
        if image.job is None:
            message = "the image is not in the table images, so its location is unknown"
            return _all_failed(image.boxes, "IMAGE_NOT_FOUND", message)
        return await self._enricher.enrich(image.job, image.boxes, image.known)

    def _parse(self, row: Any) -> ImageToEnrich:  # noqa: ANN401 - a record of the driver, or None for an image without boxes
        if row is None:
            return ImageToEnrich(None)
        answers = parse_answers(row["answers"]) if row["answers"] else []
        tried = {(one.box_key, one.service): one.attempt for one in answers}
        final = {(one.box_key, one.service) for one in answers if one.final}
        pending = []
        boxes = parse_boxes(row["box_rows"])
        numbers = BoxNumbers.of(boxes, row["version"])
        for box in boxes:
            key = box.box_key
            services = [one for one in self._enricher.services_for(box.data) if (key, one) not in final]
            if services:
                pending.append(PendingBox(key, box.data, {one: tried.get((key, one), 0) for one in services}))
        if row["registered"] is None:
            return ImageToEnrich(None, pending, numbers=numbers)
        places = {name: row[name] for name in ("image_filename", "image_path", "image_url")}
        width, height = row["width"], row["height"]
        known = KnownImage((width, height) if width and height else None, tuple(row["fingerprints"]))
        job = Job(row["image_id"], **places, submitted_at=datetime.now(UTC))
        return ImageToEnrich(job, pending, known, numbers)

    async def _write(self, image_id: int, token: uuid.UUID, numbers: BoxNumbers, result: EnrichmentResult) -> bool:
        """Write the rows of boxes that still exist; locked against a merge meanwhile. False, and nothing written, if
        the lease was lost."""
        async with transaction(self._pool, self._settings) as connection:
            await lock_images(connection, "merge", [image_id])
            ended: list[EnrichmentRow | EnrichmentRetry] = [*result.rows, *result.retries]
            opened = await open_answers(connection, self.stage, image_id, token, len(ended), numbers)
            if opened is None:
                return False
            changed = await replace_answers(connection, image_id, opened, ended)
            if result.wait is None:
                await end_lease(connection, self.stage, image_id, token)
                if not changed:  # else the change has marked the image for them
                    await wake_waiting_stages(connection, self.stage, [image_id])
            else:
                await postpone_lease(connection, self.stage, image_id, token, result.wait)
        return True


def _worker_lost(boxes: Sequence[PendingBox], tries: int) -> EnrichmentResult:
    """Fail the boxes of an image that repeatedly crashed its process."""
    return _all_failed(boxes, "WORKER_LOST", f"{tries} post-processors were lost while they had this image")


def _all_failed(boxes: Sequence[PendingBox], code: Code, message: str) -> EnrichmentResult:
    rows = [
        EnrichmentRow(box.box_key, service, tries + 1, error_code=code, error_message=message)
        for box in boxes
        for service, tries in box.tries.items()
    ]
    return EnrichmentResult(rows=rows)


def make_runner(pool: Pool, settings: Settings, fleet: Fleet) -> StageRunner:
    access = load_access(service for service in fleet.services.values() if service.enriches)
    logs.hide(settings, secrets_of(access))
    images, decoder, client = ImageSource(settings), ImageDecoder(settings), ServiceClient(settings, access)
    slot_table = FleetSlotTable(pool, settings)
    notes = CanaryNotes(pool, settings, settle_seconds=SETTLE_SECONDS)
    enricher = Enricher(list(fleet.services.values()), settings, images.read, client, slot_table, notes, decoder)
    return EnrichRunner(pool, settings, enricher, parts=(images, decoder, client, enricher))


if __name__ == "__main__":
    sys.exit(start(__doc__ or "", "spatial_enrichment", make_runner))
