"""Which images have a job in the queues: every message is read and stays.

Work and failed queues are walked: peeking counts as a delivery of each job, and holds a whole queue at once. Retry
tiers are peeked at, because a copy would restart its delay.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from windmill import broker
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.edge.received_messages import read_envelope
from windmill.kernels.flow.id_ranges import IdRanges
from windmill.operate.dead_letters.dead_letter import headers_to_stay, image_id_of, read_dead_letter


@dataclass
class QueuedImages:
    """Reads the queues of `services`; `images` holds for each of them the images that wait or are parked."""

    settings: Settings
    services: Sequence[str]
    stop: asyncio.Event
    on_read: Callable[[int], object]
    images: dict[str, IdRanges] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.images = {service: IdRanges() for service in self.services}

    async def read(self, opened: broker.Connection, *, most: int, force: bool) -> None:
        """Read all queues that are not empty. One with over `most` messages is an error, or skipped with `force`."""
        too_long = await self._too_long(opened, most)
        if too_long and not force:
            raise _refused(too_long, most)
        # Before the work queues, which tiers feed; and after them, for what workers put off meanwhile.
        await self._read_tiers(opened, too_long)
        for service in self.services:
            for queue, copied in self._walked(service):
                if queue not in too_long and not self.stop.is_set():
                    await self._walk(opened, service, queue, copied)
        await self._read_tiers(opened, too_long)

    async def _too_long(self, opened: broker.Connection, most: int) -> dict[str, int]:
        tiers = [broker.retry_exchange(self.settings, delay) for delay in broker.retry_tiers(self.settings)]
        walked = [queue for service in self.services for queue, _ in self._walked(service)]
        found = await broker.count_messages(opened, self.settings, [*walked, *tiers])
        bounds = dict.fromkeys(walked, most) | dict.fromkeys(tiers, broker.MAX_UNACKNOWLEDGED)
        return {queue: one.ready for queue, one in found.items() if one and one.ready > bounds[queue]}

    def _walked(self, service: str) -> list[tuple[str, "Copied"]]:
        """The queues of a service, each with what makes the headers of a message's copy."""

        def stays_parked(message: broker.HeldMessage) -> Mapping[str, Any]:
            return headers_to_stay(read_dead_letter(service, message.body, message.headers))

        working = [(queue, headers_to_wait) for queue in self._work_queues(service)]
        return [*working, (broker.failed_queue(self.settings, service), stays_parked)]

    def _work_queues(self, service: str) -> list[str]:
        return [queue(self.settings, service) for queue in (broker.work_queue, broker.urgent_queue)]

    async def _walk(self, opened: broker.Connection, service: str, queue: str, copied: "Copied") -> None:
        there = (await broker.count_messages(opened, self.settings, [queue]))[queue]
        if not there or not there.ready:
            return
        images = self.images[service]

        async def decide(message: broker.HeldMessage) -> broker.WalkDecision:
            _add(images, message)
            return broker.Move(queue, copied(message))

        window = self.settings.publish_window
        await broker.walk(opened, self.settings, queue, decide, self.stop, self._on_copy, window=window)

    def _on_copy(self, _: object) -> None:
        self.on_read(1)

    async def _read_tiers(self, opened: broker.Connection, too_long: Mapping[str, int]) -> None:
        services = {queue: service for service in self.services for queue in self._work_queues(service)}

        def see(message: broker.HeldMessage) -> None:
            if message.routing_key in services:
                _add(self.images[services[message.routing_key]], message)

        tiers = [broker.retry_exchange(self.settings, delay) for delay in broker.retry_tiers(self.settings)]
        for queue, found in (await broker.count_messages(opened, self.settings, tiers)).items():
            if found and found.ready and queue not in too_long and not self.stop.is_set():
                await broker.peek(opened, self.settings, queue, broker.MAX_UNACKNOWLEDGED, see, self.stop)


Copied = Callable[[broker.HeldMessage], Mapping[str, Any]]


def headers_to_wait(message: broker.HeldMessage) -> dict[str, Any]:
    """The headers of a job's copy in its work queue. The broker counts the deliveries of a copy from zero, so a header
    of ours carries the count on; a classic queue only says that there was a delivery."""
    return read_envelope(message.headers, message.redelivered).requeue_headers()


def _add(images: IdRanges, message: broker.HeldMessage) -> None:
    image_id = image_id_of(message.body)
    if image_id is not None and 0 < image_id < 2**63:
        images.add(image_id)


def _refused(too_long: Mapping[str, int], most: int) -> WindmillError:
    held = ", ".join(f"{queue} holds {ready:,} jobs" for queue, ready in too_long.items())
    return WindmillError(
        "BUSY",
        f"{held}, more than --scan {most:,}",
        "wait until it is drained, raise --scan (some thousand jobs a second are read), or --force to publish what "
        "waits there too: a job done twice changes nothing but costs its work",
    )
