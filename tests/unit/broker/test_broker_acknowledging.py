"""Acknowledgements on their way to the broker: few frames, in an order that the broker takes, and none too many."""

import asyncio
import random
from typing import cast

import pytest
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import ChannelInvalidStateError

from tests.waiting import turns
from windmill.broker.channel import ConsumingChannel
from windmill.broker.consumer import Acknowledgements, Delivery


class Channel:
    """Judges what it is told as the broker does. Frames may have to wait for room, and then overtake one another."""

    def __init__(self, dice: random.Random | None = None) -> None:
        self.handed_out = 0
        self.unacknowledged: set[int] = set()
        self.acknowledged: set[int] = set()
        self.handed_back: set[int] = set()
        self.frames: list[str] = []
        self.error: Exception | None = None
        self._dice = dice

    def message(self) -> DeliveredMessage:
        self.handed_out += 1
        self.unacknowledged.add(self.handed_out)
        return cast("DeliveredMessage", Message(self, self.handed_out))

    async def acknowledge(self, delivery_tag: int, *, multiple: bool = False) -> None:
        await self._room()
        self.frames.append(f"{'all to' if multiple else 'only'} {delivery_tag}")
        assert delivery_tag in self.unacknowledged, f"{self.frames}: the broker closes the channel"
        told = {tag for tag in self.unacknowledged if tag <= delivery_tag} if multiple else {delivery_tag}
        self.unacknowledged -= told
        self.acknowledged |= told

    async def basic_reject(self, delivery_tag: int, *, requeue: bool, wait: bool) -> None:
        await self._room()
        assert delivery_tag in self.unacknowledged, f"{self.frames}: {delivery_tag} was acknowledged: it is lost"
        self.unacknowledged.remove(delivery_tag)
        self.handed_back.add(delivery_tag)

    async def _room(self) -> None:
        if self.error:
            raise self.error
        await turns(self._dice.randrange(4) if self._dice else 0)


class Properties:
    headers = None


class Header:
    properties = Properties()


class Message:
    body = b"job"
    header = Header()
    redelivered = False

    def __init__(self, channel: Channel, delivery_tag: int) -> None:
        self.channel = channel
        self.delivery_tag = delivery_tag


def held(channel: Channel, number: int) -> list[Delivery]:
    acknowledgements = Acknowledgements(cast("ConsumingChannel", channel))
    return [Delivery(channel.message(), acknowledgements) for _ in range(number)]


async def rest() -> None:
    await turns(30)


@pytest.mark.parametrize(
    ("order", "frames"),
    [
        ([1], ["all to 1"]),
        ([1, 2, 3], ["all to 3"]),
        ([3, 1, 2], ["all to 3"]),
        ([2], ["only 2"]),
        ([1, 2, 4, 6], ["all to 2", "only 4", "only 6"]),
        ([5, 4, 3, 2, 1, 6], ["all to 6"]),
    ],
)
async def test_those_of_one_moment_go_together(order: list[int], frames: list[str]) -> None:
    channel = Channel()
    deliveries = held(channel, 6)
    for tag in order:
        deliveries[tag - 1].acknowledge()
    assert channel.frames == []
    await rest()
    assert channel.frames == frames
    assert channel.acknowledged == set(order)


async def test_one_that_overtook_others_is_no_hindrance_when_those_follow() -> None:
    channel = Channel()
    deliveries = held(channel, 4)
    deliveries[1].acknowledge()
    await rest()
    deliveries[0].acknowledge()
    deliveries[2].acknowledge()
    await rest()
    assert channel.frames == ["only 2", "all to 3"]
    assert channel.unacknowledged == {4}


async def test_what_was_handed_back_is_not_acknowledged_with_those_after_it() -> None:
    channel = Channel()
    deliveries = held(channel, 3)
    await deliveries[0].requeue()
    deliveries[1].acknowledge()
    deliveries[2].acknowledge()
    await rest()
    assert (channel.handed_back, channel.acknowledged, channel.frames) == ({1}, {2, 3}, ["all to 3"])


@pytest.mark.parametrize("seed", range(200))
async def test_however_frames_have_to_wait_each_job_meets_its_own_end(seed: int) -> None:
    dice = random.Random(seed)
    channel = Channel(dice)
    deliveries = held(channel, 60)
    ends = {
        number: dice.choice(["acknowledge", "acknowledge", "acknowledge", "hand back", "keep"]) for number in range(60)
    }
    backs = []
    for number in sorted(ends, key=lambda number: number + dice.random() * 12):
        if ends[number] == "acknowledge":
            deliveries[number].acknowledge()
        elif ends[number] == "hand back":
            backs.append(asyncio.create_task(deliveries[number].requeue()))
        await turns(dice.randrange(3))
    await asyncio.gather(*backs)
    for _ in range(20):
        await rest()
    for what, tags in (("acknowledge", channel.acknowledged), ("hand back", channel.handed_back)):
        assert tags == {number + 1 for number, end in ends.items() if end == what}
    assert channel.unacknowledged == {number + 1 for number, end in ends.items() if end == "keep"}


async def test_what_is_settled_is_said_before_the_channel_closes() -> None:
    channel = Channel(random.Random(1))
    acknowledgements = Acknowledgements(cast("ConsumingChannel", channel))
    deliveries = [Delivery(channel.message(), acknowledgements) for _ in range(5)]
    for delivery in deliveries:
        delivery.acknowledge()
    await acknowledgements.close()
    assert channel.unacknowledged == set()
    await acknowledgements.close()


async def test_on_a_channel_that_is_gone_nothing_is_said_and_nothing_raised() -> None:
    channel = Channel()
    deliveries = held(channel, 3)
    channel.error = ChannelInvalidStateError("closed")
    deliveries[0].acknowledge()
    await deliveries[1].requeue()
    await rest()
    deliveries[2].acknowledge()
    await rest()
    assert channel.unacknowledged == {1, 2, 3}
