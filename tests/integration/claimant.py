"""A process that claims, renews and ends tasks as a test tells it: python -m tests.integration.claimant POOL_SIZE

It does with a task what a worker does, through the same calls, but when the test wants it. Orders are lines of JSON on
standard input; each is answered by one line on standard output.
"""

import asyncio
import os
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from tests.job_scene import CATALOG, FreeProcess
from windmill import broker
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.jobs.access import JobAccess
from windmill.jobs.claiming import begin_alone, claim_task, note_progress, renew_leases
from windmill.jobs.ending import end_claim
from windmill.jobs.outcomes import TaskOutcome, TaskRaised, TaskReturned, TaskSucceeded, TaskWaits
from windmill.jobs.tokens import publish_tokens, top_up
from windmill.storage import database
from windmill.storage.jobs.rows import ClaimedTask

STEPS = [step.name for step in CATALOG]
OUTCOMES: Mapping[str, TaskOutcome] = {
    "succeed": TaskSucceeded({}),
    "give_back": TaskReturned(),
    "wait": TaskWaits({}, 60),
    "USAGE": TaskRaised(WindmillError("USAGE", "no")),
    "DEFECT": TaskRaised(WindmillError("DEFECT", "no")),
    "BUSY": TaskRaised(WindmillError("BUSY", "not now")),
}


class Claimant:
    """The process. Every public method is an order."""

    def __init__(self, access: JobAccess, settings: Settings, opened: broker.Connection, out: broker.Publisher) -> None:
        self._access, self._settings, self._opened, self._publisher = access, settings, opened, out
        self._tasks: dict[str, ClaimedTask] = {}
        """Also those whose lease was lost: a process may not know that."""

    async def claim(self, step: str) -> dict[str, Any] | None:
        """As an idle slot does once a second."""
        return self._hold(await claim_task(self._access, step, 1, str(os.getpid())))

    def _hold(self, task: ClaimedTask | None) -> dict[str, Any] | None:
        if task is None:
            return None
        self._tasks[str(task.lease)] = task
        return {"key": [*task.key], "lease": str(task.lease)}

    async def claim_many(self, step: str, number: int) -> list[dict[str, Any] | None]:
        return await asyncio.gather(*(self.claim(step) for _ in range(number)))

    async def take(self, step: str) -> dict[str, Any] | None:
        """Take a token, if there is one, claim and acknowledge; whether there was one, and what was claimed."""
        async with self._opened.channel() as channel:
            queue = await channel.get_queue(broker.work_queue(self._settings, step), ensure=False)
            token = await queue.get(fail=False)
            if token is None:
                return None
            task = await self.claim(step)
            await token.ack()
            return {"task": task}

    async def renew(self, lease: str, progress: float) -> bool:
        """Whether the lease is still ours."""
        task = self._tasks[lease]
        held = await renew_leases(self._access, [task], [progress])
        await note_progress(self._access, [task.job_id])
        return task.lease in held

    async def begin_alone(self, lease: str) -> None:
        await begin_alone(self._access, self._tasks[lease])

    async def end(self, leases: Sequence[str], how: str, at: float = 0.0) -> list[bool]:
        """End all of these at once, at that time if there is one; which of them were still ours."""
        await asyncio.sleep(max(at - time.time(), 0))  # all claimants end at the same moment
        return await asyncio.gather(*(self._end(self._tasks[lease], OUTCOMES[how]) for lease in leases))

    async def _end(self, task: ClaimedTask, outcome: TaskOutcome) -> bool:
        return await end_claim(self._access, task, outcome, 1.0) is not None

    async def go_on(self, lease: str, steps: Sequence[str]) -> dict[str, Any] | None:
        """Succeed, as a process that has slots of these steps free; the task that it goes on with."""
        task = self._tasks[lease]
        process = FreeProcess(steps, str(os.getpid()))
        change = await end_claim(self._access, task, TaskSucceeded({}), 1.0, process)
        assert change, "the lease was lost"
        return self._hold(change.next_task)

    async def top_up(self) -> None:
        await top_up(self._access, self._opened, self._publisher, self._settings, STEPS)

    async def publish(self, step: str, number: int) -> None:
        """Tokens for which there need not be work."""
        await publish_tokens(self._publisher, self._settings, {step: number})

    async def purge(self) -> None:
        async with self._opened.channel() as channel:
            for step in STEPS:
                await (await channel.get_queue(broker.work_queue(self._settings, step), ensure=False)).purge()

    async def tokens(self) -> dict[str, int]:
        return await broker.depths(self._opened, self._settings, STEPS)


async def obey(claimant: Claimant, order: str, **given: object) -> dict[str, Any]:
    """What came of the order, or why it failed."""
    try:
        return {"answer": await getattr(claimant, order)(**given)}
    except Exception:  # noqa: BLE001 - it fails the test
        return {"failed": traceback.format_exc()}


async def main(pool_size: int) -> None:
    settings = Settings.from_env(os.environ)
    orders = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    async with (
        database.pool(settings, "claimant", max_size=pool_size) as pool,
        broker.connection(settings, "claimant") as opened,
        broker.publisher(opened, settings) as publisher,
    ):
        await broker.declare_step_queues(opened, settings, STEPS)
        claimant = Claimant(JobAccess(pool, settings, CATALOG), settings, opened, publisher)
        while line := await orders.readline():
            sys.stdout.buffer.write(orjson.dumps(await obey(claimant, **orjson.loads(line))) + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
