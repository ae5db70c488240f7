"""What a worker relies on a broker for, asked of the broker in memory and of RabbitMQ alike."""

from dataclasses import dataclass, field

import pytest

from tests.conformance.broker.conftest import AnyBroker, AnyDelivery, Deliveries
from tests.waiting import until
from windmill.core.errors import WindmillError
from windmill.core.messages import URGENT_HEADER


@dataclass
class Hands:
    """Takes deliveries and keeps them."""

    held: list[AnyDelivery] = field(default_factory=list)

    async def take(self, delivery: AnyDelivery) -> None:
        self.held.append(delivery)

    @property
    def bodies(self) -> list[bytes]:
        return [delivery.body for delivery in self.held]

    async def come(self, number: int) -> None:
        await until(lambda: len(self.held) >= number, 10, lambda: f"{number} deliveries, but {self.bodies}")
        assert len(self.held) == number


async def depth_is(deliveries: Deliveries, number: int) -> None:
    async def reached() -> bool:
        return await deliveries.depth() == number

    await until(reached, 10, f"a depth of {number}")


async def test_a_job_reaches_every_service_that_is_named_with_its_headers_only(any_broker: AnyBroker) -> None:
    await any_broker.publisher.to_services(b"both", ["ocr", "clip"], {"mine": 1})
    await any_broker.publisher.to_services(b"one", ["clip"], {})
    for service, bodies in (("clip", [b"both", b"one"]), ("ocr", [b"both"])):
        async with any_broker.session(service) as deliveries:
            hands = Hands()
            await deliveries.start(hands.take, 10)
            await hands.come(len(bodies))
            assert hands.bodies == bodies
            assert (hands.held[0].headers, hands.held[0].redelivered) == ({"mine": 1}, False)


async def test_a_job_for_a_queue_that_is_not_there_is_not_taken_in_silence(any_broker: AnyBroker) -> None:
    for publish in (
        any_broker.publisher.to_services(b"lost?", ["extra"], {}),
        any_broker.publisher.to_failed("extra", b"lost?", {}),
    ):
        with pytest.raises(WindmillError, match="no queue took") as raised:
            await publish
        assert raised.value.code == "BROKER_UNAVAILABLE"


async def test_a_job_that_is_retried_comes_back_to_its_own_queue_with_its_headers(any_broker: AnyBroker) -> None:
    await any_broker.publisher.to_retry(any_broker.retry_delay, "clip", b"again", {"windmill-attempt": 2})
    async with any_broker.session("clip") as deliveries, any_broker.session("ocr") as others:
        hands = Hands()
        await deliveries.start(hands.take, 10)
        await hands.come(1)
        assert (hands.bodies, hands.held[0].headers["windmill-attempt"]) == ([b"again"], 2)
        assert not hands.held[0].redelivered
        assert await others.depth() == 0


async def test_a_delay_that_has_no_tier_is_not_taken_in_silence(any_broker: AnyBroker) -> None:
    with pytest.raises(WindmillError) as raised:
        await any_broker.publisher.to_retry(12345.0, "clip", b"lost?", {})
    assert raised.value.code == "BROKER_UNAVAILABLE"


async def test_a_job_that_is_given_up_lies_in_the_failed_queue_of_its_service(any_broker: AnyBroker) -> None:
    await any_broker.publisher.to_failed("clip", b"given up", {"windmill-code": "SERVICE_ERROR"})
    async with any_broker.failed_session("clip") as failed, any_broker.session("clip") as work:
        hands = Hands()
        await failed.start(hands.take, 10)
        await hands.come(1)
        assert (hands.bodies, hands.held[0].headers) == ([b"given up"], {"windmill-code": "SERVICE_ERROR"})
        assert await work.depth() == 0


async def test_no_more_is_held_than_was_asked_for_until_one_is_acknowledged(any_broker: AnyBroker) -> None:
    for number in range(4):
        await any_broker.publisher.to_services(b"%d" % number, ["clip"], {})
    async with any_broker.session("clip") as deliveries:
        hands = Hands()
        await deliveries.start(hands.take, 2)
        await hands.come(2)
        await depth_is(deliveries, 2)
        hands.held[1].acknowledge()
        await hands.come(3)
        assert hands.bodies == [b"0", b"1", b"2"]


async def test_what_is_acknowledged_is_gone_and_the_rest_comes_again_when_the_session_is_lost(
    any_broker: AnyBroker,
) -> None:
    for number in range(4):
        await any_broker.publisher.to_services(b"%d" % number, ["clip"], {})
    async with any_broker.session("clip") as deliveries:
        first = Hands()
        await deliveries.start(first.take, 10)
        await first.come(4)
        first.held[2].acknowledge()
        first.held[0].acknowledge()
    first.held[1].acknowledge()  # too late, and nothing
    await first.held[3].requeue()
    async with any_broker.session("clip") as deliveries:
        await depth_is(deliveries, 2)
        again = Hands()
        await deliveries.start(again.take, 10)
        await again.come(2)
        assert sorted(again.bodies) == [b"1", b"3"]
        told = [(delivery.redelivered, delivery.headers["x-delivery-count"]) for delivery in again.held]
        assert told == [(True, 1), (True, 1)]


async def test_a_job_that_is_handed_back_comes_again_and_says_how_often(any_broker: AnyBroker) -> None:
    await any_broker.publisher.to_services(b"job", ["clip"], {})
    async with any_broker.session("clip") as deliveries:
        hands = Hands()
        await deliveries.start(hands.take, 10)
        for times in (1, 2):
            await hands.come(times)
            await hands.held[-1].requeue()
        await hands.come(3)
        told = [(delivery.redelivered, delivery.headers.get("x-delivery-count")) for delivery in hands.held]
        assert told == [(False, None), (True, 1), (True, 2)]


async def test_a_consumption_that_is_stopped_gets_nothing_and_can_be_started_again(any_broker: AnyBroker) -> None:
    async with any_broker.session("clip") as deliveries:
        hands = Hands()
        await deliveries.start(hands.take, 10)
        assert not deliveries.lost()
        await deliveries.stop()
        await deliveries.stop()
        assert not deliveries.lost()
        await any_broker.publisher.to_services(b"job", ["clip"], {})
        await depth_is(deliveries, 1)
        assert hands.held == []
        await deliveries.start(hands.take, 10)
        await hands.come(1)


async def test_what_came_before_a_stop_can_still_be_acknowledged(any_broker: AnyBroker) -> None:
    await any_broker.publisher.to_services(b"job", ["clip"], {})
    await any_broker.publisher.to_services(b"next", ["clip"], {})
    async with any_broker.session("clip") as deliveries:
        hands = Hands()
        await deliveries.start(hands.take, 1)
        await hands.come(1)
        await deliveries.stop()
        hands.held[0].acknowledge()
    async with any_broker.session("clip") as deliveries:
        await depth_is(deliveries, 1)


async def test_a_consumption_is_lost_when_its_queue_is_deleted(any_broker: AnyBroker) -> None:
    hands = Hands()
    async with any_broker.session("clip") as deliveries:
        await deliveries.start(hands.take, 10)
        assert not deliveries.lost()
        await any_broker.delete("clip")
        await until(deliveries.lost, 10, "noticed")


async def test_an_urgent_job_waits_in_the_urgent_queue_and_comes_back_to_it_when_it_is_retried(
    any_broker: AnyBroker,
) -> None:
    urgent = {URGENT_HEADER: True}
    await any_broker.publisher.to_services(b"both", ["ocr", "clip"], urgent)
    await any_broker.publisher.to_retry(any_broker.retry_delay, "clip", b"again", urgent)
    async with any_broker.urgent_session("clip") as deliveries, any_broker.session("clip") as ordinary:
        hands = Hands()
        await deliveries.start(hands.take, 10)
        await hands.come(2)
        assert hands.bodies == [b"both", b"again"]
        assert all(delivery.headers[URGENT_HEADER] is True for delivery in hands.held)
        assert await ordinary.depth() == 0
    async with any_broker.urgent_session("ocr") as deliveries:
        await depth_is(deliveries, 1)
