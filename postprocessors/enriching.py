"""Sends the merged boxes of an image to the services that analyse boxes. Does not use the database.

A call becomes an outcome as in a worker, and a service that is down is probed as by a worker.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from postprocessors.crop_services import LEAST_WAIT_SECONDS, WATCH_SECONDS, CropServices
from postprocessors.showing import BoxToShow, Enriched, Later, Showing, failed_row, row, showings
from windmill.calling.handler import Caller
from windmill.core.errors import WindmillError
from windmill.core.messages import Job
from windmill.core.outages import Outage
from windmill.core.outcomes import Failed, RetryLater, Stored, Tried, Unavailable, after_error
from windmill.core.services import Service
from windmill.core.settings import Settings
from windmill.kernels.boxes.regions import plan
from windmill.kernels.flow.backoff import retry_delay
from windmill.media.image.crops import Crop, Crops


class Enricher:
    """One for a process, as it holds what the process knows of the services: `async with` it, then `enrich` images,
    several at once if need be."""

    def __init__(
        self,
        services: Sequence[Service],
        settings: Settings,
        read: Callable[[Job], Awaitable[bytes]],
        client: Caller,
        crops: Crops | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        watch_seconds: float = WATCH_SECONDS,
    ) -> None:
        self._delays = settings.retry_delays
        self._read = read
        self._crops = crops or Crops(settings.max_image_pixels)
        self._enriches = {service.name: service.enriches for service in services if service.enriches}
        looking = [service for service in services if service.name in self._enriches]
        self._services = CropServices(looking, settings, client, clock=clock, watch_seconds=watch_seconds)
        self._images = Outage("the image store", clock=clock)
        self.states = self._services.states

    async def __aenter__(self) -> "Enricher":
        await self._services.__aenter__()
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self._services.__aexit__(*raised)

    def services_for(self, merged_data: object) -> tuple[str, ...]:
        """The services that are to see a merged box."""
        return plan(merged_data, self._enriches)

    def rest_seconds(self) -> float:
        """In how many seconds any of the services may be asked; 0 while one may, and then an image is worth taking."""
        return self._services.rest_seconds()

    async def enrich(self, job: Job, boxes: Sequence[BoxToShow]) -> Enriched:
        """Show boxes to services. The image is read and decoded once, and not at all when none of them may be asked;
        only when its crops do not fit into memory together is it decoded again."""
        enriched = Enriched()
        left = list(boxes)
        image = None
        try:
            while ready := [box for box in left if any(map(self._services.may_be_asked, box.tries))]:
                image = image or await self._image(job)
                crops = await self._crops.cut(image, [box.merged_data for box in ready])
                await self._show(job, ready, crops, enriched)
                shown = {box.box_key for box in ready[: len(crops)]}
                left = [box for box in left if box.box_key not in shown]
        except WindmillError as error:
            self._image_failed(error, job, left, enriched)
        else:
            for showing in showings(job, left):
                self._put_off(showing, enriched)
        return enriched

    async def _image(self, job: Job) -> bytes:
        image = await self._read(job)
        self._images.over()
        return image

    def _image_failed(self, error: WindmillError, job: Job, boxes: Sequence[BoxToShow], enriched: Enriched) -> None:
        """What is wrong with the image is wrong with each of its boxes, at each service."""
        if error.retry == "pause":
            seconds = self._images.failed(error)
            enriched.away.update({showing.service: seconds for showing in showings(job, boxes)})
            return
        for showing in showings(job, boxes):
            self._note(showing, after_error(error, showing.attempt, self.states[showing.service].tries(0)), enriched)

    async def _show(
        self, job: Job, boxes: Sequence[BoxToShow], crops: Sequence[Crop | None], enriched: Enriched
    ) -> None:
        async with asyncio.TaskGroup() as group:
            for box, crop in zip(boxes, crops, strict=False):
                for showing in showings(job, [box], crop):
                    group.create_task(self._show_one(showing, enriched))

    async def _show_one(self, showing: Showing, enriched: Enriched) -> None:
        if showing.crop is None:
            self._note(showing, Failed("BAD_RESPONSE", "nothing of the box lies in the image"), enriched)
        elif outcome := await self._services.ask(showing):
            self._note(showing, outcome, enriched)
        else:
            self._put_off(showing, enriched)

    def _note(self, showing: Showing, outcome: Tried, enriched: Enriched) -> None:
        match outcome:
            case Stored():
                enriched.rows.append(row(showing, outcome))
            case Failed():
                enriched.rows.append(failed_row(showing, outcome.code, outcome.message))
            case RetryLater():
                delay = retry_delay(showing.attempt, self._delays)
                later = Later(showing.box_key, showing.service, showing.attempt, delay, outcome.code, outcome.message)
                enriched.later.append(later)
            case Unavailable():
                self._put_off(showing, enriched)

    def _put_off(self, showing: Showing, enriched: Enriched) -> None:
        seconds = self._services.seconds_until_asked(showing.service)
        enriched.away[showing.service] = max(seconds, LEAST_WAIT_SECONDS)
