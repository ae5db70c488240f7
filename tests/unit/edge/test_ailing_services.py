"""Whole queues against services that are ill in odd ways, in simulated time: what is done when, and what is parked."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from tests.fake_broker import URGENT, FakeBroker
from tests.fake_table import FakeTable
from tests.unit.simulated_time import in_simulated_time, pass_time
from tests.unit.world import JOB
from tests.waiting import until
from windmill.broker import Consumer, Publisher, ServiceConsumers
from windmill.calling.job_handler import JobHandler
from windmill.calling.reply_parser import parse_reply
from windmill.calling.service_state import ServiceState
from windmill.core.errors import Code, WindmillError
from windmill.core.messages import OUTAGES_HEADER, Job, encode
from windmill.core.outcomes import MAX_OUTAGES, Stored
from windmill.core.services import Service, load_fleet
from windmill.core.settings import ROOT, Settings
from windmill.edge.quarantine import Quarantine
from windmill.edge.service_consumer import ServiceConsumer
from windmill.edge.session_losses import SessionLosses
from windmill.storage.result_writer import ResultRow, ResultWriter

CLIP = replace(load_fleet(ROOT / "service_config.json").services["clip"], concurrency=8)
SETTINGS = Settings.from_env({"MAX_RETRIES": "3", "RETRY_DELAYS": "5,10,20"})
PROBE = b"probe"
OK = b'{"status": "success", "predictions": []}'
Answer = Callable[[bytes], Awaitable[Stored]]


@dataclass
class Lane:
    """A queue of `jobs` images, its worker, and a service that answers as it is told."""

    answer: Answer
    jobs: int
    connect: Callable[[Service], Awaitable[object]] | None = None
    service: Service = CLIP
    broker: FakeBroker = field(default_factory=lambda: FakeBroker(["clip"]))
    table: FakeTable = field(default_factory=FakeTable)
    calls: int = 0
    probes: int = 0

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator["Lane"]:
        for number in range(1, self.jobs + 1):
            await self.broker.to_services(encode(replace(JOB, image_id=number)), ["clip"])
        clock, stop = asyncio.get_running_loop().time, asyncio.Event()
        state = ServiceState(self.service, SETTINGS, self._probe, connect=self.connect, clock=clock)
        async with self.broker.consumption("clip") as ordinary, self.broker.consumption(f"clip{URGENT}") as urgent:
            consumer = ServiceConsumer(
                state,
                SETTINGS,
                ServiceConsumers(cast("Consumer", ordinary), cast("Consumer", urgent)),
                cast("Publisher", self.broker),
                JobHandler(self._read, self, self._check),
                cast("ResultWriter", self),
                Quarantine(clock=clock),
                SessionLosses(),
                clock=clock,
            )
            running = asyncio.create_task(consumer.run(stop))
            try:
                yield self
            finally:
                stop.set()
                consumer.wake()
                await running

    away = False

    async def _read(self, job: Job) -> bytes:
        return str(job.image_id).encode()

    async def _check(self, image: bytes) -> WindmillError | None:
        return None

    async def _probe(self, service: Service) -> Stored:
        self.probes += 1
        return await self.answer(PROBE)

    async def upload(self, service: Service, image: bytes) -> Stored:
        self.calls += 1
        return await self.answer(image)

    async def refer(self, service: Service, image_url: str) -> Stored:
        raise AssertionError("it takes uploads")

    async def write(self, row: ResultRow) -> None:
        await self.table.write(row)

    @property
    def good(self) -> list[ResultRow]:
        return [row for row in self.table.kept.values() if row.error_code is None]

    @property
    def bad(self) -> list[ResultRow]:
        return [row for row in self.table.kept.values() if row.error_code is not None]


def now() -> float:
    return asyncio.get_running_loop().time()


class FlappingService:
    """Up for 3 of 4 seconds, which a call of 2.6 seconds just fits into; who is under way when it goes is cut off."""

    UP, CYCLE, CALL = 3.0, 4.0, 2.6

    async def connect(self, _: object = None) -> None:
        if now() % self.CYCLE >= self.UP:
            raise WindmillError("SERVICE_UNREACHABLE", "refused", reached=False)

    async def answer(self, image: bytes) -> Stored:
        await self.connect()
        left = self.UP - now() % self.CYCLE
        await pass_time(min(left, self.CALL))
        if left < self.CALL:
            raise WindmillError("BAD_RESPONSE", "clip cut the reply off")
        return parse_reply(200, OK)


@pytest.mark.parametrize("seed", range(5))
@in_simulated_time
async def test_a_service_that_is_up_for_hardly_longer_than_a_call_is_used_while_it_is_up(seed: int) -> None:
    """With one call after the other, a probe among them, nothing is ever answered before it goes again."""
    random.seed(seed)
    service = FlappingService()
    async with Lane(service.answer, 40, service.connect).working() as lane:
        await pass_time(92)
    assert len(lane.good) == 40
    assert {row.attempt for row in lane.good} == {1}, "no try was spent"
    assert lane.bad == []


@in_simulated_time
async def test_after_an_outage_few_calls_begin_at_a_time_and_then_more_and_more() -> None:
    in_flight, at_the_end_of_a_call = 0, []

    async def answer(image: bytes) -> Stored:
        nonlocal in_flight
        if 1 < now() < 10:
            raise WindmillError("SERVICE_UNREACHABLE", "refused", reached=False)
        in_flight += 1
        await pass_time(1)
        if image != PROBE and now() > 10:
            at_the_end_of_a_call.append(in_flight)
        in_flight -= 1
        return parse_reply(200, OK)

    async with Lane(answer, 100).working() as lane:
        await until(lambda: len(lane.good) == 100, 100)
    assert at_the_end_of_a_call[0] == 1
    assert max(at_the_end_of_a_call[1:3]) == 2
    assert max(at_the_end_of_a_call[3:7]) <= 4
    assert max(at_the_end_of_a_call) == 8


REFUSALS = [401, 403, 404, 405, 407, 429, 503]


def refusing(status: int, refused: set[int], retry_after: str | None) -> Answer:
    """A service that something stands in front of which dislikes some images."""

    async def answer(image: bytes) -> Stored:
        await pass_time(0.05)
        turned_away = image != PROBE and int(image) in refused
        return parse_reply(status if turned_away else 200, OK, retry_after=retry_after if turned_away else None)

    return answer


async def seconds_for_the_good(lane: Lane, good: int) -> float:
    await until(lambda: len(lane.good) == good, 600)
    return now()


@pytest.mark.parametrize(
    "retry_after", [None, pytest.param("30", marks=pytest.mark.slow(reason="1 s each: the same with a pause"))]
)
@pytest.mark.parametrize("status", REFUSALS)
@in_simulated_time
async def test_images_that_are_always_turned_away_hold_up_no_other_and_are_parked(
    status: int, retry_after: str | None
) -> None:
    refused = set(range(40, 400, 45))
    async with Lane(refusing(status, refused, retry_after), 400).working() as lane:
        seconds = await seconds_for_the_good(lane, 392)
        await until(lambda: len(lane.bad) == 8, 600)
    assert seconds < 2 * 400 / 8 * 0.05
    assert {row.image_id for row in lane.bad} == refused
    assert {row.error_code for row in lane.bad} == {"SERVICE_REJECTED"}
    for row in lane.bad:
        assert f"turned this image away {MAX_OUTAGES} times while it answered others: " in (row.error_message or "")
        assert str(status) in (row.error_message or "")
    parked = lane.broker.queues["clip.failed"].messages
    assert [message.headers[OUTAGES_HEADER] for message in parked] == [MAX_OUTAGES - 1] * 8
    assert {row.attempt for row in lane.bad} == {1}


@pytest.mark.parametrize("status", REFUSALS)
@in_simulated_time
async def test_a_service_that_turns_everything_away_for_an_hour_costs_no_job_anything(status: int) -> None:
    async def answer(_: bytes) -> Stored:
        await pass_time(0.05)
        return parse_reply(status if now() < 3600 else 200, OK)

    async with Lane(answer, 100).working() as lane:
        await pass_time(3600)
        assert lane.table.written == []
        assert lane.calls < 300
        await until(lambda: len(lane.good) == 100, 100)
    assert {row.attempt for row in lane.good} == {1}


@in_simulated_time
async def test_the_wait_that_a_service_asks_all_for_is_kept() -> None:
    asked: list[float] = []

    async def answer(_: bytes) -> Stored:
        asked.append(now())
        return parse_reply(503 if now() < 60 else 200, OK, retry_after="90")

    async with Lane(answer, 20).working() as lane:
        await until(lambda: len(lane.good) == 20, 200)
    assert not [moment for moment in asked if 1 < moment < 90]


@pytest.mark.parametrize("code", ["RESPONSE_TOO_LARGE", "IMAGE_TOO_LARGE"])
@in_simulated_time
async def test_an_outage_whose_every_reply_is_large_or_finds_the_image_large_parks_no_job(code: Code) -> None:
    async def answer(_: bytes) -> Stored:
        await pass_time(0.05)
        if now() < 60:
            raise WindmillError(code, "5 MB of debug page")
        return parse_reply(200, OK)

    async with Lane(answer, 1000).working() as lane:
        await until(lambda: len(lane.good) == 1000, 200)
    assert lane.bad == []
    assert {row.attempt for row in lane.good} == {1}


@pytest.mark.parametrize("code", ["RESPONSE_TOO_LARGE", "IMAGE_TOO_LARGE"])
@in_simulated_time
async def test_an_image_that_is_too_large_for_a_service_that_answers_others_is_parked_at_once(code: Code) -> None:
    async def answer(image: bytes) -> Stored:
        await pass_time(0.05)
        if image == b"7":
            raise WindmillError(code, "too large")
        return parse_reply(200, OK)

    async with Lane(answer, 20).working() as lane:
        await until(lambda: len(lane.table.written) == 20, 2)
    assert [(row.image_id, row.error_code) for row in lane.bad] == [(7, code)]
