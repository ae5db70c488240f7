"""Showing the merged boxes of an image to the services that look at boxes. Knows no database.

A call becomes an outcome as a worker's does, and a service that is away is asked as gently as workers ask it.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

import orjson

from kernels.regions import Rectangle, located, plan
from windmill.calling.canary import CANARY
from windmill.calling.handler import Caller, Handler
from windmill.calling.prober import Prober
from windmill.calling.service_state import ServiceState
from windmill.crops import Crop, Crops
from windmill.errors import Code, WindmillError
from windmill.messages import Job, Past
from windmill.outages import Outage
from windmill.outcomes import Failed, RetryLater, Stored, Tried, Unavailable, after_error
from windmill.runner import background
from windmill.services import Service
from windmill.settings import Settings

WATCH_SECONDS = 1.0
LEAST_WAIT_SECONDS = 1.0
MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class BoxToShow:
    """A merged box, and the services that are to see it, each with the number of tries there were."""

    box_key: str
    merged_data: object
    tries: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one box at one service in the end: `data` is JSON text, or else there is an error."""

    box_key: str
    service: str
    attempt: int
    data: str | None = None
    processing_time: float | None = None
    error_code: Code | None = None
    error_message: str | None = None


@dataclass(frozen=True, slots=True)
class Later:
    """A try that failed, and that another one in `delay` seconds may make good."""

    box_key: str
    service: str
    attempt: int
    delay: float
    error_code: Code
    error_message: str


@dataclass(slots=True)
class Enriched:
    """What came of an image's boxes. `away` are services that could not be asked about all that they are to see, no
    try being counted, and in how many seconds they may be."""

    rows: list[Row] = field(default_factory=list)
    later: list[Later] = field(default_factory=list)
    away: dict[str, float] = field(default_factory=dict)

    @property
    def wait(self) -> float | None:
        """In how many seconds to come back to the image; None when all is done."""
        return min([*self.away.values(), *(one.delay for one in self.later)], default=None)


@dataclass(frozen=True, slots=True)
class _Look:
    """One box at one service, as the handler sees it: a picture without a URL."""

    image_id: int
    box_key: str
    service: str
    attempt: int
    crop: Crop | None = None
    image_url: None = None


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
        self._settings = settings
        self._read = read
        self._crops = crops or Crops(settings.max_image_pixels)
        self._handler = Handler(_jpeg_of, client, _never_at_fault)
        self._enriches = {service.name: service.enriches for service in services if service.enriches}
        # WORKER_CONCURRENCY is meant for one service's worker; here are several, of which pose bears a single call.
        own = replace(settings, worker_concurrency=0)
        self.states = {
            service.name: ServiceState(service, own, lambda one: client.upload(one, CANARY), clock=clock)
            for service in services
            if service.enriches
        }
        self._probers = [Prober(state) for state in self.states.values()]
        self._images = Outage("the image store", clock=clock)
        self._outages: Counter[tuple[int, str, str]] = Counter()
        self._watch_seconds = watch_seconds
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> "Enricher":
        await self._opened.enter_async_context(background(self._watch()))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    def services_for(self, merged_data: object) -> tuple[str, ...]:
        """The services that are to see a merged box."""
        return plan(merged_data, self._enriches)

    def rest_seconds(self) -> float:
        """In how many seconds any of the services may be asked; 0 while one may, and then an image is worth taking."""
        return min((_seconds_until_asked(state) for state in self.states.values()), default=0.0)

    async def enrich(self, job: Job, boxes: Sequence[BoxToShow]) -> Enriched:
        """Show boxes to services. The image is read and decoded once, and not at all when none of them may be asked;
        only when its crops do not fit into memory together is it decoded again."""
        enriched = Enriched()
        left = list(boxes)
        image = None
        try:
            while ready := [box for box in left if self._is_worth_a_crop(box)]:
                image = image or await self._image(job)
                crops = await self._crops.cut(image, [box.merged_data for box in ready])
                await self._show(job, ready, crops, enriched)
                shown = {box.box_key for box in ready[: len(crops)]}
                left = [box for box in left if box.box_key not in shown]
        except WindmillError as error:
            self._image_failed(error, job, left, enriched)
        else:
            for look in _looks(job, left):
                self._put_off(look, enriched)
        return enriched

    async def _watch(self) -> None:
        """Ask services that are away whether they are back."""
        try:
            while True:
                for prober in self._probers:
                    prober.ask_when_due()
                await asyncio.sleep(self._watch_seconds)
        finally:
            for prober in self._probers:
                prober.close()

    async def _image(self, job: Job) -> bytes:
        image = await self._read(job)
        self._images.over()
        return image

    def _image_failed(self, error: WindmillError, job: Job, boxes: Sequence[BoxToShow], enriched: Enriched) -> None:
        """What is wrong with the image is wrong with each of its boxes, at each service."""
        if error.retry == "pause":
            seconds = self._images.failed(error)
            enriched.away.update({look.service: seconds for look in _looks(job, boxes)})
            return
        for look in _looks(job, boxes):
            self._note(look, after_error(error, look.attempt, self.states[look.service].tries(0)), enriched)

    def _is_worth_a_crop(self, box: BoxToShow) -> bool:
        return any(_may_be_asked(self.states[service]) for service in box.tries)

    async def _show(
        self, job: Job, boxes: Sequence[BoxToShow], crops: Sequence[Crop | None], enriched: Enriched
    ) -> None:
        async with asyncio.TaskGroup() as group:
            for box, crop in zip(boxes, crops, strict=False):
                for look in _looks(job, [box], crop):
                    group.create_task(self._look(look, enriched))

    async def _look(self, look: _Look, enriched: Enriched) -> None:
        if look.crop is None:
            self._note(look, Failed("BAD_RESPONSE", "nothing of the box lies in the image"), enriched)
        elif outcome := await self._ask(look):
            self._note(look, outcome, enriched)
        else:
            self._put_off(look, enriched)

    async def _ask(self, look: _Look) -> Tried | None:
        """One call, when its turn comes; None when the service may not be asked then."""
        state = self.states[look.service]
        async with state.slots:
            if not _may_be_asked(state):
                return None
            state.in_progress += 1
            try:
                past = Past(look.attempt, self._outages[_place(look)])
                outcome = await self._handler.handle(state, look, past)
            finally:
                state.in_progress -= 1
            # While the slot is still held, so that no call starts between an outage and its notice.
            state.heed(outcome)
        state.counts[type(outcome).__name__] += 1
        self._remember(look, outcome)
        return outcome

    def _remember(self, look: _Look, outcome: Tried) -> None:
        """How often the service went away while it had this crop in hand. One that takes it away each time is given up
        in the end, though not while processes come and go: they remember it no longer than they live."""
        if not isinstance(outcome, Unavailable):
            self._outages.pop(_place(look), None)
        elif outcome.in_hand:
            self._outages[_place(look)] += 1
            if len(self._outages) > MOST_REMEMBERED:
                del self._outages[next(iter(self._outages))]

    def _note(self, look: _Look, outcome: Tried, enriched: Enriched) -> None:
        match outcome:
            case Stored():
                enriched.rows.append(_row(look, outcome))
            case Failed():
                enriched.rows.append(_failed(look, outcome.code, outcome.message))
            case RetryLater():
                enriched.later.append(self._later(look, outcome))
            case Unavailable():
                self._put_off(look, enriched)

    def _put_off(self, look: _Look, enriched: Enriched) -> None:
        enriched.away[look.service] = max(_seconds_until_asked(self.states[look.service]), LEAST_WAIT_SECONDS)

    def _later(self, look: _Look, outcome: RetryLater) -> Later:
        delays = self._settings.retry_delays
        delay = delays[min(look.attempt, len(delays)) - 1]
        return Later(look.box_key, look.service, look.attempt, delay, outcome.code, outcome.message)


def _looks(job: Job, boxes: Sequence[BoxToShow], crop: Crop | None = None) -> list[_Look]:
    return [
        _Look(job.image_id, box.box_key, service, tries + 1, crop)
        for box in boxes
        for service, tries in box.tries.items()
    ]


def _place(look: _Look) -> tuple[int, str, str]:
    return look.image_id, look.box_key, look.service


async def _jpeg_of(look: _Look) -> bytes:
    assert look.crop
    return look.crop.jpeg


def _never_at_fault(_: bytes) -> None:
    """A crop was made here, out of an image that could be decoded."""


def _may_be_asked(state: ServiceState) -> bool:
    """Whether a call may begin. While half-open one call tries the service, and others wait for what comes of it."""
    breaker = state.breaker.state
    return breaker == "closed" or (breaker == "half-open" and not state.in_progress)


def _seconds_until_asked(state: ServiceState) -> float:
    return 0.0 if _may_be_asked(state) else max(state.breaker.seconds_left(), LEAST_WAIT_SECONDS)


def _row(look: _Look, stored: Stored) -> Row:
    assert look.crop
    try:
        data = _located(stored, look.crop.place)
    except orjson.JSONEncodeError as error:
        return _failed(look, "BAD_RESPONSE", f"the reply cannot be written again: {error}")
    return Row(look.box_key, look.service, look.attempt, data, stored.processing_time)


def _located(stored: Stored, place: Rectangle) -> str:
    return orjson.dumps(located(orjson.loads(stored.data)["predictions"], place)).decode()


def _failed(look: _Look, code: Code, message: str) -> Row:
    return Row(look.box_key, look.service, look.attempt, error_code=code, error_message=message)
