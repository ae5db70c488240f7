"""The failed queues: what is parked there, sending it to work again, throwing it away."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from windmill import broker
from windmill.core.setting_parts import BrokerSettings
from windmill.core.settings import Settings
from windmill.operate.failed.parked import Parked, Wanted, headers_to_redrive, headers_to_stay, parked
from windmill.process.runner import pause

HELD_SECONDS = 60
"""How long a slow redrive may hold messages: RabbitMQ ends a consumer that holds them for half an hour."""

Kind = tuple[str, str | None]
"""A service and a code."""


@dataclass
class Survey:
    """What was seen; `held` says how many messages each failed queue holds, all beyond `looked_at` unseen."""

    jobs: list[Parked] = field(default_factory=list)
    counts: Counter[Kind] = field(default_factory=Counter)
    held: dict[str, int] = field(default_factory=dict)
    looked_at: dict[str, int] = field(default_factory=dict)


@dataclass
class Limit:
    """How many more may be taken; None is without end."""

    left: int | None

    def reached(self) -> bool:
        return self.left == 0

    def take(self) -> None:
        if self.left is not None:
            self.left -= 1


async def survey(
    opened: broker.Connection,
    settings: BrokerSettings,
    services: Sequence[str],
    wanted: Wanted,
    stop: asyncio.Event,
    *,
    scan: int,
    keep: int,
    limit: Limit,
) -> Survey:
    """Look at the first `scan` messages of each failed queue, count those that are wanted and keep `keep` of them."""
    found = Survey(held=await broker.depths(opened, settings, services, queue=broker.failed_queue))
    for service in services:
        found.looked_at[service] = min(found.held[service], scan)

        def see(message: broker.HeldMessage, service: str = service) -> None:
            one = parked(service, message.body, message.headers)
            if wanted.matches(one) and not limit.reached():
                limit.take()
                found.counts[one.service, one.code] += 1
                if len(found.jobs) < keep:
                    found.jobs.append(one)

        if found.held[service] and not stop.is_set():
            await broker.peek(opened, settings, broker.failed_queue(settings, service), scan, see, stop)
    return found


class Pace:
    """At most so many a second; None does not wait."""

    def __init__(self, rate: int | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.most_held = rate * HELD_SECONDS if rate else broker.MAX_UNACKNOWLEDGED
        self._gap = 1 / rate if rate else 0.0
        self._clock = clock
        self._next = clock()

    async def wait(self, stop: asyncio.Event) -> None:
        early = self._next - self._clock()
        if early > 0:
            await pause(stop, early)
        self._next = max(self._next, self._clock()) + self._gap


@dataclass
class Sweep:
    """What is done to every wanted message of a queue, and how much of it is done."""

    settings: Settings
    wanted: Wanted
    limit: Limit
    pace: Pace
    stop: asyncio.Event
    on_passed: Callable[[int], object] = lambda _: None
    done: Counter[Kind] = field(default_factory=Counter)
    passed: int = 0

    async def redrive(self, opened: broker.Connection, service: str) -> None:
        """Back to the work queue."""
        target = broker.work_queue(self.settings, service)

        def again(one: Parked) -> broker.WalkDecision:
            return broker.Move(target, headers_to_redrive(one), (one.service, one.code))

        await self._walk(opened, service, again)

    async def purge(self, opened: broker.Connection, service: str) -> None:
        """Away."""
        await self._walk(opened, service, lambda one: broker.Drop((one.service, one.code)))

    async def _walk(
        self, opened: broker.Connection, service: str, act: Callable[[Parked], broker.WalkDecision]
    ) -> None:
        queue = broker.failed_queue(self.settings, service)

        async def decide(message: broker.HeldMessage) -> broker.WalkDecision:
            if self.limit.reached():
                return broker.EndWalk.HERE
            one = parked(service, message.body, message.headers)
            if not self.wanted.matches(one):
                return broker.Move(queue, headers_to_stay(one))
            await self.pace.wait(self.stop)
            if self.stop.is_set():
                return broker.EndWalk.HERE
            self.limit.take()
            return act(one)

        window = min(self.settings.publish_window, max(self.pace.most_held // 2, 1))
        await broker.walk(opened, self.settings, queue, decide, self.stop, self._settled, window=window)

    def _settled(self, kind: object) -> None:
        self.passed += 1
        self.on_passed(1)
        if isinstance(kind, tuple):
            self.done[kind] += 1
