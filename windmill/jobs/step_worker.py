"""A process that runs steps of jobs: slots for each step, a heartbeat for all its tasks, a reaper, and a session with
the broker that brings tokens while it lasts."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from windmill import broker
from windmill.core.errors import WindmillError
from windmill.core.outages import Outage
from windmill.jobs.access import Change, JobAccess
from windmill.jobs.claiming import register_steps
from windmill.jobs.held_tasks import Asked, HeldTasks
from windmill.jobs.reaping import plan_further, reap
from windmill.jobs.step import Step
from windmill.jobs.step_slots import StepSlots
from windmill.jobs.step_state import StepState
from windmill.jobs.task_files import TaskFiles
from windmill.jobs.task_worker import TaskWorker
from windmill.jobs.token_feed import TokenFeed
from windmill.jobs.tokens import publish_tokens, top_up
from windmill.process.lifecycle import Program
from windmill.process.runner import background, pause

logger = logging.getLogger(__name__)

REAP_SECONDS = 2.0
LOOK_SECONDS = 0.5
"""Between two looks whether the session is lost."""


class StepWorker:
    """One process."""

    def __init__(
        self, program: Program, access: JobAccess, steps: Sequence[Step], scratch: Path, files: TaskFiles
    ) -> None:
        self._program, self._access, self._settings = program, access, program.settings
        self.held = HeldTasks(access)
        self._worker = TaskWorker(access, self.held, scratch, files)
        name = program.settings.worker_name()
        self._slots = {
            step.name: StepSlots(step, access, self.held, self._worker, self._follow, name) for step in steps
        }
        for slots in self._slots.values():
            slots.together = self._slots
        self._registered = False
        self._publisher: broker.Publisher | None = None
        self._connection: broker.Connection | None = None
        self.broker = Outage("the broker")
        self._planning: set[asyncio.Task[None]] = set()
        self.lost: Counter[str] = Counter()
        """Leases that were taken over here, by step."""
        self.published: Counter[str] = Counter()
        """Tokens, by step."""

    @property
    def states(self) -> list[StepState]:
        return [slots.state for slots in self._slots.values()]

    async def run(self) -> None:
        """Work until the program stops; then finish, or hand back, what is in progress."""
        stop = self._program.stop
        beating, reaping, session = (
            self.held.beat_for_ever(self._program.notifier.tick),
            self._reap_for_ever(),
            self._keep_session(),
        )
        async with background(beating), background(reaping), background(session):
            await asyncio.gather(*(slots.run(stop) for slots in self._slots.values()))
            self._program.notifier.stopping()
            await self._finish()

    async def _finish(self) -> None:
        """Let what runs end by itself within the grace; stop the rest, which goes back to the queue."""
        ended = asyncio.ensure_future(self._ended())
        await asyncio.wait([ended], timeout=self._settings.shutdown_grace_seconds)
        self._ask_all("stop")
        await ended

    async def _ended(self) -> None:
        while any(slots.working for slots in self._slots.values()):
            await asyncio.gather(*(slots.ended() for slots in self._slots.values()))
        for one in self._planning:
            one.cancel()

    def _ask_all(self, why: Asked) -> None:
        for held in self.held:
            held.ask(why)

    async def _follow(self, change: Change) -> None:
        """Something was committed: plan further what is large, and tell of the new tasks."""
        if change.unplanned:
            planning = asyncio.ensure_future(self._plan(change.job_id))
            self._planning.add(planning)
            planning.add_done_callback(self._planning.discard)
        await self._tell(change.new_tasks)

    async def _plan(self, job_id: int) -> None:
        try:
            await self._tell(await plan_further(self._access, job_id))
        except WindmillError as error:
            logger.debug("planning is left to the reaper", extra={"reason": str(error)})

    async def _tell(self, new_tasks: Mapping[str, int]) -> None:
        """Slots of this process claim at once; for what is more than they can take there are tokens."""
        others = {}
        for step, number in new_tasks.items():
            own = self._slots.get(step)
            if own:
                own.wake()
            more = number - (own.idle if own else 0)
            if more > 0:
                others[step] = more
        if self._publisher and others:
            try:
                self.published.update(await publish_tokens(self._publisher, self._settings, others))
            except WindmillError as error:
                self.broker.failed(error)  # the reaper tops up what is missing

    async def _reap_for_ever(self) -> None:
        while True:
            try:
                if not self._registered:
                    await register_steps(self._access)
                    self._registered = True
                grace = self._settings.task_lease_seconds
                await self._tell(await reap(self._access, grace_seconds=grace, lost=self.lost))
                await self._top_up()
            except WindmillError as error:
                logger.debug("reaping failed", extra={"reason": str(error)})
            except Exception:  # a job that trips over a bug here must not end all workers, one after the other
                logger.exception("reaping failed")
            await asyncio.sleep(REAP_SECONDS * random.uniform(0.8, 1.2))

    async def _top_up(self) -> None:
        if self._connection and self._publisher:
            steps = [step.name for step in self._access.catalog]
            found = await top_up(self._access, self._connection, self._publisher, self._settings, steps)
            self.published.update(found)

    async def _keep_session(self) -> None:
        """Connect to the broker again and again; jobs go on without it, but more slowly."""
        while True:
            try:
                await self._session()
            except WindmillError as error:
                await pause(self._program.stop, self.broker.failed(error))
            finally:
                self._publisher = self._connection = None
                for slots in self._slots.values():
                    slots.feed = None

    async def _session(self) -> None:
        async with AsyncExitStack() as stack:
            opened = await stack.enter_async_context(broker.connection(self._settings, self._program.title))
            await broker.declare_step_queues(opened, self._settings, [step.name for step in self._access.catalog])
            self._publisher = await stack.enter_async_context(broker.publisher(opened, self._settings))
            self._connection = opened
            feeds = {step: await self._open_feed(stack, opened, step) for step in self._slots}
            for step, slots in self._slots.items():
                slots.feed = feeds[step]
                slots.wake()
            self.broker.over()
            while not any(feed.lost() for feed in feeds.values()) and not opened.is_closed:  # noqa: ASYNC110 - no event
                await asyncio.sleep(LOOK_SECONDS)

    async def _open_feed(self, stack: AsyncExitStack, opened: broker.Connection, step: str) -> TokenFeed:
        queue = broker.work_queue(self._settings, step)
        consumer = await stack.enter_async_context(broker.queue_consumer(opened, self._settings, queue))
        return TokenFeed(consumer, self._slots[step].state.token)
