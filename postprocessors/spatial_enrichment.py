"""Sends each merged box to the services that analyse boxes: python -m postprocessors.spatial_enrichment

As `enriches` in service_config.json says, persons go to face and pose, and every box to colors. Any number of these may
run. Each box goes to each service once, however often the boxes of its image are merged again; its enrichment is
deleted with the box. .env.example describes every setting.
"""

import asyncio
import logging
import sys
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from postprocessors.base import Work, start
from postprocessors.enriching import Enricher
from postprocessors.showing import BoxToShow, Enriched, Later, Row
from windmill.calling.service_client import ServiceClient
from windmill.calling.service_state import ServiceState
from windmill.core.documents import as_object
from windmill.core.errors import KINDS, Code, WindmillError
from windmill.core.messages import Job
from windmill.core.outcomes import is_code_from_service
from windmill.core.services import Fleet
from windmill.core.settings import Settings
from windmill.core.stages import Stage
from windmill.core.throttle import Throttle
from windmill.derive.claims import (
    end_lease,
    lease,
    lock_images,
    put_off,
    renew,
    seconds_after_failures,
    transaction,
    write_as,
)
from windmill.kernels.boxes.regions import VERSION
from windmill.media.image import ImageSource
from windmill.process.runner import background
from windmill.storage.database import Connection, Pool, converted
from windmill.storage.queries import queries

logger = logging.getLogger("postprocessors")


@dataclass(frozen=True)
class Known:
    """What is known of an image: where it is, and what its boxes still have to be shown to."""

    job: Job | None
    boxes: list[BoxToShow] = field(default_factory=list)


class Enrichment:
    """The stage `enrich`. It calls services, so it holds leases and no transaction while it works."""

    stage: Stage = "enrich"

    def __init__(
        self, pool: Pool, settings: Settings, enricher: Enricher, parts: Sequence[AbstractAsyncContextManager[Any]]
    ) -> None:
        """`parts` are what the enricher is made of and itself, in the order in which they are opened."""
        self.counts: Counter[str] = Counter()
        self.states: Iterable[ServiceState] = enricher.states.values()
        self._pool = pool
        self._settings = settings
        self._enricher = enricher
        self._throttle = Throttle()
        self._held: dict[int, uuid.UUID] = {}
        self._running: dict[asyncio.Task[None], int] = {}
        self._parts = parts
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> "Enrichment":
        for part in self._parts:
            await self._opened.enter_async_context(part)
        await self._opened.enter_async_context(background(self._keep_leases()))
        return self

    async def __aexit__(self, *_: object) -> None:
        """What has begun is finished within its grace; the rest comes due again at once."""
        if self._running:
            await asyncio.wait(self._running, timeout=self._settings.shutdown_grace_seconds)
        left = {image: self._held[image] for task, image in self._running.items() if not task.done()}
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._opened.aclose()
        if left:
            logger.warning("images not finished in SHUTDOWN_GRACE_SECONDS are left to others", extra={"n": len(left)})
            async with transaction(self._pool, self._settings) as connection:
                for image_id, token in left.items():
                    await put_off(connection, self.stage, image_id, token, 0.0)

    async def round(self, stop: asyncio.Event) -> int:
        """Begin with images while there is room, then wait until one is done or it is time to ask again."""
        room = self._settings.enrich_images - len(self._running)
        found = 0
        if room and not stop.is_set() and not self._enricher.rest_seconds():
            leased = await lease(self._pool, self._settings, self.stage, room)
            found = leased.found
            for image_id, tries in leased.tries.items():
                self._held[image_id] = leased.token
                task = asyncio.create_task(self._image(image_id, leased.token, tries))
                self._running[task] = image_id
        return found + await self._finished()

    async def _finished(self) -> int:
        """How many images ended meanwhile; raises what went wrong with the database."""
        if not self._running:
            return 0
        seconds = self._settings.poll_milliseconds / 1000
        done, _ = await asyncio.wait(self._running, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            self._held.pop(self._running.pop(task), None)
        for task in done:
            task.result()
        return len(done)

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(self._settings.lease_seconds / 3)
            for token in set(self._held.values()):
                images = [image_id for image_id, held in self._held.items() if held == token]
                try:
                    await renew(self._pool, self._settings, self.stage, token, images)
                except WindmillError as error:
                    logger.debug("leases could not be renewed: %s", error)

    async def _image(self, image_id: int, token: uuid.UUID, tries: int) -> None:
        try:
            known = await self._read(image_id)
            if tries >= self._settings.delivery_limit:
                enriched = _given_up(known.boxes, tries)
            else:
                enriched = await self._enriched(known)
            await self._write(image_id, token, enriched)
            self._tell_failures(image_id, enriched)
            shown: list[Row | Later] = [*enriched.rows, *enriched.later]
            calls = sum(is_code_from_service(one.error_code) for one in shown)
            self.counts.update(looked_at=1, changed=int(bool(enriched.rows)), calls=calls)
        except WindmillError:
            raise  # the database is away: the lease runs out, and the image comes due again
        except Exception:
            self.counts["failed"] += 1
            logger.exception("an image cannot be enriched", extra={"image_id": image_id, "tries": tries})
            seconds = seconds_after_failures(tries + 1)
            async with transaction(self._pool, self._settings) as connection:
                await put_off(connection, self.stage, image_id, token, seconds, failed=True)

    def _tell_failures(self, image_id: int, enriched: Enriched) -> None:
        """Those that are final: nobody tries them again by himself."""
        for one in enriched.rows:
            if one.error_code and (admitted := self._throttle.admit(one.error_code)):
                said = {"image_id": image_id, "service": one.service, "code": one.error_code}
                remedy = f"{KINDS[one.error_code].remedy}; then python -m windmill recompute --stage enrich"
                why = {"reason": one.error_message, "remedy": remedy}
                logger.warning("a box failed", extra=said | why | admitted.extra())

    async def _enriched(self, known: Known) -> Enriched:
        if not known.boxes:
            return Enriched()
        if known.job is None:
            said = "the image is not in the table images, so that nobody knows where it is"
            return _all_failed(known.boxes, "IMAGE_NOT_FOUND", said)
        return await self._enricher.enrich(known.job, known.boxes)

    async def _read(self, image_id: int) -> Known:
        sql = queries()
        with converted(self._settings):
            async with self._pool.acquire() as connection:
                boxes = await connection.fetch(sql["read_merged_boxes"], [image_id])
                rows = await connection.fetch(sql["read_postprocessing"], [image_id])
                image = await connection.fetchrow(sql["read_image"], image_id) if boxes else None
        tried = {(row["box_key"], row["service"]): row["attempt"] for row in rows}
        final = {(row["box_key"], row["service"]) for row in rows if row["final"]}
        to_show = []
        for row in boxes:
            key, data = row["box_key"], as_object(row["merged_data"])
            wanted = [one for one in self._enricher.services_for(data) if (key, one) not in final]
            if wanted:
                to_show.append(BoxToShow(key, data, {one: tried.get((key, one), 0) for one in wanted}))
        return Known(Job(**image, submitted_at=datetime.now(UTC)) if image else None, to_show)

    async def _write(self, image_id: int, token: uuid.UUID, enriched: Enriched) -> None:
        """Of boxes that are still there. They are kept from being merged anew in the meantime."""
        async with transaction(self._pool, self._settings) as connection:
            await lock_images(connection, "merge", [image_id])
            await write_as(connection, self.stage)
            await _replace(connection, image_id, [*enriched.rows, *enriched.later])
            if enriched.wait is None:
                await end_lease(connection, self.stage, image_id, token)
            else:
                await put_off(connection, self.stage, image_id, token, enriched.wait)


async def _replace(connection: Connection, image_id: int, rows: Sequence[Row | Later]) -> None:
    sql = queries()
    if rows:
        keys = [one.box_key for one in rows], [one.service for one in rows]
        await connection.execute(sql["delete_postprocessing"], image_id, *keys)
        columns = map(list, zip(*map(_columns, rows), strict=True))
        await connection.execute(sql["insert_postprocessing"], image_id, *columns, VERSION)
    await connection.execute(sql["delete_postprocessing_of_vanished_boxes"], [image_id])


def _columns(one: Row | Later) -> tuple[object, ...]:
    common = (one.box_key, one.service)
    error = (one.error_code, one.error_message, one.attempt)
    if isinstance(one, Later):
        return (*common, None, *error, False, None)
    return (*common, one.data, *error, True, one.processing_time)


def _given_up(boxes: Sequence[BoxToShow], tries: int) -> Enriched:
    """Whoever had this image did not live to tell, again and again."""
    return _all_failed(boxes, "WORKER_LOST", f"{tries} post-processors were lost while they had this image")


def _all_failed(boxes: Sequence[BoxToShow], code: Code, message: str) -> Enriched:
    rows = [
        Row(box.box_key, service, tries + 1, error_code=code, error_message=message)
        for box in boxes
        for service, tries in box.tries.items()
    ]
    return Enriched(rows=rows)


def work(pool: Pool, settings: Settings, fleet: Fleet) -> Work:
    images, client = ImageSource(settings), ServiceClient(settings)
    enricher = Enricher(list(fleet.services.values()), settings, images.read, client)
    return Enrichment(pool, settings, enricher, parts=(images, client, enricher))


if __name__ == "__main__":
    sys.exit(start(__doc__ or "", "spatial_enrichment", work))
