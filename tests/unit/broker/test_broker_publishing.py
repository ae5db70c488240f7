"""What a publisher asks of the broker's client: one publish, persistent, mandatory, confirmed in time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelInvalidStateError, DeliveryError
from aiormq import spec

from windmill import broker
from windmill.broker.publishing import PRIORITY
from windmill.core.errors import WindmillError
from windmill.core.messages import URGENT_HEADER
from windmill.core.settings import Settings

SETTINGS = Settings.from_env({"QUEUE_PREFIX": "q_", "PUBLISH_TIMEOUT": "7", "RETRY_DELAYS": "5,10"})


@dataclass
class Exchange:
    name: str
    published: list[tuple[str, str, aio_pika.Message, dict[str, Any]]]
    error: Exception | None = None

    async def publish(self, message: aio_pika.Message, routing_key: str, **options: object) -> None:
        if self.error:
            raise self.error
        self.published.append((self.name, routing_key, message, options))


@dataclass
class Channel:
    """Notes what is published, or fails as it is told."""

    published: list[tuple[str, str, aio_pika.Message, dict[str, Any]]] = field(default_factory=list)
    error: Exception | None = None

    @property
    def default_exchange(self) -> Exchange:
        return Exchange("", self.published, self.error)

    async def get_exchange(self, name: str, *, ensure: bool) -> Exchange:
        assert not ensure, "a question to the broker for each retry"
        return Exchange(name, self.published, self.error)


def publisher(channel: Channel, pick: int = 0, ready: asyncio.Event | None = None) -> broker.Publisher:
    def dice(choices: Sequence[float]) -> float:
        return choices[pick]

    return broker.Publisher(
        cast("AbstractChannel", channel), SETTINGS, ready=(ready or asyncio.Event()).wait, dice=dice
    )


async def test_a_job_for_many_services_is_one_publish_that_names_the_others_where_no_service_sees_them() -> None:
    channel = Channel()
    await publisher(channel).to_services(b"job", ["clip", "ocr", "pose"], {"mine": 1})
    [(exchange, key, message, options)] = channel.published
    assert (exchange, key, message.body) == ("", "q_clip", b"job")
    assert message.headers == {"mine": 1, "BCC": ["q_ocr", "q_pose"]}
    assert (message.delivery_mode, message.priority) == (aio_pika.DeliveryMode.PERSISTENT, PRIORITY)
    assert options == {"mandatory": True, "timeout": 7.0}


async def test_a_job_for_one_service_names_no_others() -> None:
    channel = Channel()
    await publisher(channel).to_services(b"job", ["clip"])
    assert channel.published[0][2].headers == {}


@pytest.mark.parametrize(
    ("delay", "pick", "tier"), [(5, 0, 4000), (5, 1, 5000), (5, 2, 6000), (10, 0, 8000), (10, 2, 12000)]
)
async def test_a_retry_goes_to_one_of_the_tiers_of_its_delay_and_from_there_to_its_own_queue(
    delay: float, pick: int, tier: int
) -> None:
    channel = Channel()
    await publisher(channel, pick).to_retry(delay, "clip", b"job", {"windmill-attempt": 2})
    [(exchange, key, message, _)] = channel.published
    assert (exchange, key) == (f"q_retry.{tier}", "q_clip")
    assert message.headers == {"windmill-attempt": 2}


async def test_a_job_that_is_given_up_goes_to_the_failed_queue_of_its_service() -> None:
    channel = Channel()
    await publisher(channel).to_failed("clip", b"job", {})
    assert channel.published[0][:2] == ("", "q_clip.failed")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DeliveryError(None, spec.Basic.Nack(delivery_tag=1)), "no queue took a message for q_clip"),
        (ChannelInvalidStateError("closed"), "closed"),
        (TimeoutError(), "TimeoutError"),
        (ConnectionResetError("reset"), "reset"),
    ],
)
async def test_whatever_keeps_a_message_from_its_queue_is_told_in_our_words(error: Exception, said: str) -> None:
    with pytest.raises(WindmillError, match=said) as raised:
        await publisher(Channel(error=error)).to_services(b"job", ["clip"])
    assert raised.value.code == "BROKER_UNAVAILABLE"


async def test_a_broker_that_is_short_of_memory_is_noticed() -> None:
    ready = asyncio.Event()
    one = publisher(Channel(), ready=ready)
    assert await one.blocked()
    ready.set()
    assert not await one.blocked()


async def test_urgent_jobs_go_to_the_urgent_queues_also_by_way_of_a_retry_tier() -> None:
    channel = Channel()
    one = publisher(channel, pick=1)
    await one.to_services(b"job", ["clip", "ocr"], {URGENT_HEADER: True})
    await one.to_retry(5, "clip", b"job", {URGENT_HEADER: True})
    (_, key, message, _), (tier, retried, again, _) = channel.published
    assert (key, message.headers) == ("q_clip_urgent", {URGENT_HEADER: True, "BCC": ["q_ocr_urgent"]})
    assert (tier, retried, again.headers) == ("q_retry.5000", "q_clip_urgent", {URGENT_HEADER: True})


@dataclass
class Blocked(Channel):
    """Takes no publish until it is unblocked."""

    unblocked: asyncio.Event = field(default_factory=asyncio.Event)
    confirmed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def default_exchange(self) -> Exchange:
        return HangingExchange("", self.published, confirmed=self.confirmed)


@dataclass
class HangingExchange(Exchange):
    confirmed: asyncio.Event = field(default_factory=asyncio.Event)

    async def publish(self, message: aio_pika.Message, routing_key: str, **options: object) -> None:
        await super().publish(message, routing_key, **options)
        await self.confirmed.wait()


def patient(channel: Blocked) -> broker.Publisher:
    hurried = replace(SETTINGS, publish_timeout=0.02)
    return broker.Publisher(
        cast("AbstractChannel", channel), hurried, ready=channel.unblocked.wait, outlasts_blocking=True
    )


async def test_a_worker_s_publish_outlasts_a_broker_that_blocks_publishers_and_is_sent_once() -> None:
    channel = Blocked()
    publishing = asyncio.create_task(patient(channel).to_failed("clip", b"job", {}))
    done, _ = await asyncio.wait([publishing], timeout=0.2)  # ten time-outs
    assert not done
    channel.unblocked.set()
    channel.confirmed.set()
    await asyncio.wait_for(publishing, 5)
    assert len(channel.published) == 1, "a second publish would make a second job"


async def test_a_publish_without_a_confirm_times_out_where_the_broker_blocks_nobody() -> None:
    channel = Blocked()
    channel.unblocked.set()
    with pytest.raises(WindmillError) as raised:
        await asyncio.wait_for(patient(channel).to_failed("clip", b"job", {}), 5)
    assert raised.value.code == "BROKER_UNAVAILABLE"
