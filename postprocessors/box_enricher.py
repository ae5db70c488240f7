"""Sending the merged boxes of an image to the services that take boxes. No database access.

Calls use the handler, slots and breaker of the workers.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from postprocessors.box_calls import (
    BoxCall,
    EnrichmentResult,
    EnrichmentRetry,
    PendingBox,
    box_calls,
    failed_row,
    result_row,
)
from postprocessors.crop_services import MIN_WAIT_SECONDS, PROBE_SECONDS, CropServices
from windmill.calling.canary_watch import CanaryTable
from windmill.calling.fleet_slots import SlotTable
from windmill.calling.service_client import ServiceClient
from windmill.core.errors import WindmillError
from windmill.core.messages import Job
from windmill.core.outages import Outage
from windmill.core.outcomes import Failed, RetryLater, Stored, Tried, Unavailable, after_error
from windmill.core.services import Service
from windmill.core.settings import Settings
from windmill.kernels.boxes.crop_regions import services_for_box
from windmill.kernels.flow.retry_backoff import retry_delay
from windmill.media.image.change import KnownImage, must_be_unchanged
from windmill.media.image.crops import Crop


class Cropper(Protocol):
    """The part of the decoder that cuts boxes out of images."""

    async def crop(self, image: bytes, boxes: Sequence[object]) -> list[Crop | None]: ...


class Enricher:
    """One for each process, as it holds the state of the services. Enter it with `async with`; `enrich` may run
    concurrently."""

    def __init__(
        self,
        services: Sequence[Service],
        settings: Settings,
        read: Callable[[Job], Awaitable[bytes]],
        client: ServiceClient,
        slot_table: SlotTable,
        canary_table: CanaryTable,
        crops: Cropper,
        *,
        clock: Callable[[], float] = time.monotonic,
        probe_seconds: float = PROBE_SECONDS,
    ) -> None:
        self._delays = settings.retry_delays
        self._read = read
        self._crops = crops
        self._enriches = {service.name: service.enriches for service in services if service.enriches}
        box_services = [service for service in services if service.name in self._enriches]
        self._services = CropServices(
            box_services, settings, client, slot_table, canary_table, clock=clock, probe_seconds=probe_seconds
        )
        self._images = Outage("the image store", clock=clock)
        self.states = self._services.states

    async def __aenter__(self) -> "Enricher":
        await self._services.__aenter__()
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self._services.__aexit__(*raised)

    def services_for(self, merged_data: object) -> tuple[str, ...]:
        """The services to send a merged box to."""
        return services_for_box(merged_data, self._enriches)

    def seconds_until_any_available(self) -> float:
        """Seconds until any service may be called; 0 while one may, and an image is worth leasing."""
        return self._services.seconds_until_any_available()

    async def enrich(
        self,
        job: Job,
        boxes: Sequence[PendingBox],
        known: KnownImage = KnownImage(),  # noqa: B008 - it is frozen
    ) -> EnrichmentResult:
        """Send boxes to their services. The image is read once, if any of the services is available, and decoded again
        only if its crops do not fit into memory together. It must be the image that is `known`."""
        result = EnrichmentResult()
        left = list(boxes)
        image = None
        try:
            while ready := [box for box in left if any(map(self._services.is_available, box.tries))]:
                image = image or await self._read_image(job, known)
                crops = await self._crops.crop(image, [box.merged_data for box in ready])
                await self._send_boxes(job, ready, crops, result)
                sent = {box.box_key for box in ready[: len(crops)]}
                left = [box for box in left if box.box_key not in sent]
        except WindmillError as error:
            self._image_failed(error, job, left, result)
        else:
            for box_call in box_calls(job, left):
                self._wait_for_service(box_call, result)
        return result

    async def _read_image(self, job: Job, known: KnownImage) -> bytes:
        image = await self._read(job)
        self._images.over()
        must_be_unchanged(image, known)
        return image

    def _image_failed(
        self, error: WindmillError, job: Job, boxes: Sequence[PendingBox], result: EnrichmentResult
    ) -> None:
        """A fault of the image fails each of its boxes, for each service."""
        if error.retry == "pause":
            seconds = self._images.failed(error)
            result.unavailable.update({box_call.service: seconds for box_call in box_calls(job, boxes)})
            return
        for box_call in box_calls(job, boxes):
            self._add(box_call, after_error(error, box_call.attempt, self.states[box_call.service].tries(0)), result)

    async def _send_boxes(
        self, job: Job, boxes: Sequence[PendingBox], crops: Sequence[Crop | None], result: EnrichmentResult
    ) -> None:
        async with asyncio.TaskGroup() as group:
            for box, crop in zip(boxes, crops, strict=False):
                for box_call in box_calls(job, [box], crop):
                    group.create_task(self._send_box(box_call, result))

    async def _send_box(self, box_call: BoxCall, result: EnrichmentResult) -> None:
        if box_call.crop is None:
            self._add(box_call, Failed("BAD_RESPONSE", "the box lies outside the image"), result)
        elif outcome := await self._services.call(box_call):
            self._add(box_call, outcome, result)
        else:
            self._wait_for_service(box_call, result)

    def _add(self, box_call: BoxCall, outcome: Tried, result: EnrichmentResult) -> None:
        match outcome:
            case Stored():
                result.rows.append(result_row(box_call, outcome))
            case Failed():
                result.rows.append(failed_row(box_call, outcome.code, outcome.message))
            case RetryLater():
                delay = retry_delay(box_call.attempt, self._delays)
                retry = EnrichmentRetry(
                    box_call.box_key, box_call.service, box_call.attempt, delay, outcome.code, outcome.message
                )
                result.retries.append(retry)
            case Unavailable():
                self._wait_for_service(box_call, result)

    def _wait_for_service(self, box_call: BoxCall, result: EnrichmentResult) -> None:
        seconds = self._services.seconds_until_available(box_call.service)
        result.unavailable[box_call.service] = max(seconds, MIN_WAIT_SECONDS)
