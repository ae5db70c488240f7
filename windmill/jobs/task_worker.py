"""Works on one claimed task to its end: runs it, stops it when that is asked, and writes what became of it."""

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from windmill.core.errors import DataRefused, WindmillError
from windmill.jobs.access import Change, JobAccess
from windmill.jobs.child_run import ChildRun
from windmill.jobs.claiming import begin_alone
from windmill.jobs.ending import end_task
from windmill.jobs.held_tasks import HeldTask, HeldTasks
from windmill.jobs.outcomes import TaskOutcome, TaskRaised, TaskReturned, TaskSucceeded
from windmill.jobs.step import JobView, MadeFile
from windmill.jobs.task_run import TaskRun, ThreadRun
from windmill.jobs.turns import Turns
from windmill.storage.jobs.rows import ClaimedTask, StoredArtifact

logger = logging.getLogger(__name__)

LOST_BEFORE_ALONE = 2
"""A task that has lost so many workers runs alone."""

KeepFiles = Callable[[Sequence[MadeFile]], Awaitable[Sequence[StoredArtifact]]]
"""Stores files, whole, before the task is said to have succeeded."""


class TaskWorker:
    """Shared by all slots of a process."""

    def __init__(self, access: JobAccess, held: HeldTasks, scratch: Path, keep_files: KeepFiles) -> None:
        self._access = access
        self._held = held
        self._scratch = scratch
        self._keep_files = keep_files
        self.turns = Turns()

    async def work(self, held: HeldTask) -> Change | None:
        """Work on a task that was claimed. None if the lease was lost, and then nothing was written."""
        turn = self.turns.alone if held.task.lost >= LOST_BEFORE_ALONE else self.turns.beside_others
        try:
            async with turn():
                outcome = await self._run(held)
            change = await self._end(held, outcome) if outcome else None
            if change is None:
                logger.warning("dropped a task whose lease is lost", extra={"step": held.task.step})
            return change
        finally:
            self._held.remove(held)

    async def _run(self, held: HeldTask) -> TaskOutcome | None:
        """Run the task until it ends or is stopped; None if it is no longer ours."""
        if held.task.lost >= LOST_BEFORE_ALONE:
            await begin_alone(self._access, held.task)
        scratch = self._scratch / str(held.task.lease)
        scratch.mkdir(parents=True)
        try:
            held.run = self._start(held.task, scratch)
            return await self._outcome(held, held.run)
        finally:
            if held.run:
                await held.run.stop()
            await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)

    def _start(self, task: ClaimedTask, scratch: Path) -> TaskRun:
        step = self._access.catalog.find(task.step, task.step_version)
        assert step, f"claimed what this process cannot run: {task.step} {task.step_version}"
        job = JobView(task.public_id, task.kind, task.inputs, task.parameters, task.principal)
        given = (job, task.input, task.step_parameters, scratch)
        return ChildRun(step, self._access.catalog.source, *given) if step.limits.in_child else ThreadRun(step, *given)

    async def _outcome(self, held: HeldTask, run: TaskRun) -> TaskOutcome | None:
        ending = asyncio.ensure_future(run.result())
        either: list[asyncio.Future[Any]] = [ending, held.asked]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            await run.stop()
            await asyncio.wait([ending])
            if held.asked.result() == "lost":
                return None
            if ending.cancelled() or ending.exception():
                return TaskReturned()
        try:
            made = ending.result()
            return TaskSucceeded(made.output, await self._keep_files(made.artifacts), made.timings)
        except WindmillError as error:
            return TaskRaised(error)

    async def _end(self, held: HeldTask, outcome: TaskOutcome) -> Change | None:
        """Write the outcome, again and again while the database is away and the task is still ours."""
        while self._held.is_safe(held):
            try:
                return await end_task(self._access, held.task.key, held.task.lease, outcome)
            except WindmillError as error:
                if error.retry != "pause":
                    raise
                await asyncio.sleep(min(self._held.database.failed(error), 1.0))
            except (DataRefused, TypeError, ValueError) as error:
                if isinstance(outcome, TaskRaised):
                    raise
                outcome = TaskRaised(WindmillError("DEFECT", f"what the step has made cannot be stored: {error}"))
        return None
