"""Redriving and purging dead letters: each failed queue is walked once, and what is not selected goes to its end."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from windmill import broker
from windmill.core.settings import Settings
from windmill.operate.dead_letters.dead_letter import (
    DeadLetter,
    DeadLetterFilter,
    FailureKey,
    headers_to_redrive,
    headers_to_stay,
    read_dead_letter,
)
from windmill.operate.dead_letters.limits import JobLimit, RateLimit
from windmill.operate.dead_letters.listing import NAME, DeadLetterListing, list_dead_letters
from windmill.operate.progress import OnProgress, ProgressUpdate, ignore_progress

SweepAction = Literal["redrive", "purge"]


@dataclass(frozen=True)
class SweepOutcome:
    """What a redrive or a purge did. A dry run has a `listing` instead, and leaves `kept` empty."""

    action: SweepAction
    counts: Counter[FailureKey]
    kept: int | None
    dry_run: bool
    interrupted: bool
    listing: DeadLetterListing | None = None


async def redrive(
    settings: Settings,
    services: Sequence[str],
    selection: DeadLetterFilter,
    stop: asyncio.Event,
    *,
    limit: int | None = None,
    rate: int | None = None,
    on_progress: OnProgress = ignore_progress,
) -> SweepOutcome:
    """Send selected jobs back to their work queues, at most `rate` a second; their tries start again."""
    sweep = Sweep(settings, selection, JobLimit(limit), RateLimit(rate), stop, on_progress)
    return await _run(sweep, services, "redrive")


async def purge(
    settings: Settings,
    services: Sequence[str],
    selection: DeadLetterFilter,
    stop: asyncio.Event,
    *,
    limit: int | None = None,
    on_progress: OnProgress = ignore_progress,
) -> SweepOutcome:
    """Delete selected jobs; their rows in `results` stay."""
    sweep = Sweep(settings, selection, JobLimit(limit), RateLimit(None), stop, on_progress)
    return await _run(sweep, services, "purge")


async def preview_sweep(
    settings: Settings,
    services: Sequence[str],
    selection: DeadLetterFilter,
    stop: asyncio.Event,
    action: SweepAction,
    *,
    scan: int,
    limit: int | None = None,
) -> SweepOutcome:
    """Count what a redrive or a purge would take from the first `scan` messages of each queue; change nothing."""
    listing = await list_dead_letters(settings, services, selection, stop, scan=scan, keep=0, limit=limit)
    return SweepOutcome(action, listing.counts, None, dry_run=True, interrupted=stop.is_set(), listing=listing)


async def _run(sweep: "Sweep", services: Sequence[str], action: SweepAction) -> SweepOutcome:
    """Empty queues are left alone."""
    settings = sweep.settings
    async with broker.connection(settings, NAME) as opened:
        held = await broker.depths(opened, settings, services, queue=broker.failed_queue)
        busy = [service for service, count in held.items() if count]
        await broker.declare(opened, settings, busy)
        sweep.expect(sum(held.values()))
        for service in busy:
            if sweep.stop.is_set() or sweep.limit.reached():
                break
            await (sweep.redrive if action == "redrive" else sweep.purge)(opened, service)
    kept = sweep.passed - sweep.done.total()
    return SweepOutcome(action, sweep.done, kept, dry_run=False, interrupted=sweep.stop.is_set())


@dataclass
class Sweep:
    """One action on all selected messages of several queues, and how far it has come."""

    settings: Settings
    selection: DeadLetterFilter
    limit: JobLimit
    rate: RateLimit
    stop: asyncio.Event
    on_progress: OnProgress
    done: Counter[FailureKey] = field(default_factory=Counter)
    passed: int = 0
    total: int = 0

    def expect(self, total: int) -> None:
        """Announce how many messages there are."""
        self.total = total
        self.on_progress(ProgressUpdate("", "jobs", self.passed, total))

    async def redrive(self, opened: broker.Connection, service: str) -> None:
        def move(one: DeadLetter) -> broker.WalkDecision:
            headers = headers_to_redrive(one)
            target = broker.queue_of_job(self.settings, service, headers)
            return broker.Move(target, headers, (one.service, one.code))

        await self._walk(opened, service, move)

    async def purge(self, opened: broker.Connection, service: str) -> None:
        await self._walk(opened, service, lambda one: broker.Drop((one.service, one.code)))

    async def _walk(
        self, opened: broker.Connection, service: str, act: Callable[[DeadLetter], broker.WalkDecision]
    ) -> None:
        queue = broker.failed_queue(self.settings, service)

        async def decide(message: broker.HeldMessage) -> broker.WalkDecision:
            if self.limit.reached():
                return broker.EndWalk.HERE
            one = read_dead_letter(service, message.body, message.headers)
            if not self.selection.matches(one):
                return broker.Move(queue, headers_to_stay(one))
            await self.rate.wait(self.stop)
            if self.stop.is_set():
                return broker.EndWalk.HERE
            self.limit.take()
            return act(one)

        window = min(self.settings.publish_window, max(self.rate.most_held // 2, 1))
        await broker.walk(opened, self.settings, queue, decide, self.stop, self._settled, window=window)

    def _settled(self, key: object) -> None:
        self.passed += 1
        self.on_progress(ProgressUpdate("", "jobs", self.passed, self.total))
        if isinstance(key, tuple):
            self.done[key] += 1
