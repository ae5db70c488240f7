"""Works on one claimed task to its end: runs it, stops it when that is asked, and writes what became of it."""

import asyncio
import logging
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from windmill.core.errors import DataRefused, WindmillError
from windmill.jobs.access import Change, JobAccess
from windmill.jobs.child_run import ChildRun
from windmill.jobs.claiming import begin_alone
from windmill.jobs.ending import end_claim
from windmill.jobs.going_on import GoingOn
from windmill.jobs.held_tasks import HeldTask, HeldTasks
from windmill.jobs.outcomes import TaskOutcome, TaskRaised, TaskReturned, TaskSucceeded
from windmill.jobs.reuse import ReusesResults, may_reuse
from windmill.jobs.scratch_folders import ScratchFolders
from windmill.jobs.step import InputFiles, JobView, Suspended
from windmill.jobs.step_threads import StepThreads
from windmill.jobs.suspending import needs_files, resumed_state, suspend
from windmill.jobs.task_files import TaskFiles
from windmill.jobs.task_run import TaskRun, TaskWork, ThreadRun
from windmill.jobs.turns import Turns
from windmill.storage.jobs.rows import ClaimedTask

logger = logging.getLogger(__name__)
T = TypeVar("T")

LOST_BEFORE_ALONE = 2
"""A task that has lost so many workers runs alone."""


class TaskWorker:
    """Shared by all slots of a process."""

    def __init__(self, access: JobAccess, held: HeldTasks, scratch: Path, files: TaskFiles) -> None:
        self._access = access
        self._held = held
        self._scratch = ScratchFolders(scratch)
        self._files = files
        self._threads = StepThreads()
        self.turns = Turns()

    async def work(self, held: HeldTask, going_on: GoingOn | None = None) -> Change | None:
        """Work on a task that was claimed. None if the lease was lost, and then nothing was written."""
        turn = self.turns.alone if held.task.lost >= LOST_BEFORE_ALONE else self.turns.beside_others
        try:
            async with turn():
                outcome = await self._run(held)
            change = await self._end(held, outcome, going_on) if outcome else None
            if change is None:
                logger.warning("dropped a task whose lease is lost", extra={"step": held.task.step})
            return change
        finally:
            self._held.remove(held)

    async def _run(self, held: HeldTask) -> TaskOutcome | None:
        """Run the task until it ends or is stopped; None if it is no longer ours."""
        if held.task.lost >= LOST_BEFORE_ALONE:
            await begin_alone(self._access, held.task)
        scratch = await self._scratch.take()
        try:
            found = await self._unless_asked(held, self._find_or_bring(held.task, scratch))
            if found is None:
                return None if held.asked.result() == "lost" else TaskReturned()
            if isinstance(found, TaskSucceeded):
                return found
            if not self._held.is_safe(held):
                return None  # this process stood still since it claimed the task, and others may have done it
            held.run = self._start(held.task, found, scratch)
            return await self._outcome(held, held.run)
        except WindmillError as error:
            return TaskRaised(error)
        finally:
            if held.run:
                await held.run.stop()
            await self._scratch.give_back(scratch)

    async def _find_or_bring(self, task: ClaimedTask, scratch: Path) -> TaskSucceeded | InputFiles:
        """What was made before of the same, or else the files that the task is given."""
        step = self._access.catalog.find(task.step, task.step_version)
        if isinstance(step, ReusesResults) and may_reuse(task):
            made_with = await asyncio.to_thread(step.made_with, task.step_parameters)
            made = None if made_with is None else await self._files.find_made(task, made_with, scratch / "made")
            if made:
                return made
        return await self._files.bring(task, scratch / "inputs") if needs_files(task) else {}

    async def _unless_asked(self, held: HeldTask, work: Coroutine[Any, Any, T]) -> T | None:
        """What comes of it; None if the task was asked to stop meanwhile."""
        working = asyncio.ensure_future(work)
        either: list[asyncio.Future[Any]] = [working, held.asked]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            return working.result() if working.done() else None
        finally:
            working.cancel()
            await asyncio.wait([working])

    def _start(self, task: ClaimedTask, files: InputFiles, scratch: Path) -> TaskRun:
        step = self._access.catalog.find(task.step, task.step_version)
        assert step, f"claimed what this process cannot run: {task.step} {task.step_version}"
        job = JobView(task.public_id, task.kind, task.inputs, task.parameters, task.principal)
        name = f"{task.public_id}-{task.position}-{task.shard}"
        given = (name, job, task.input, task.step_parameters, files, scratch)
        work = TaskWork(*given, key=task.key, resumed=resumed_state(task))
        if step.limits.in_child:
            return ChildRun(step, self._access.catalog.source, work, self._access.settings.step_memory_bytes)
        return ThreadRun(step, work, self._threads)

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
            if isinstance(made, Suspended):
                return suspend(made)
            kept = await self._files.keep(made.artifacts)
            return TaskSucceeded(made.output, kept, made.timings, made.warnings)
        except WindmillError as error:
            return TaskRaised(error)

    async def _end(self, held: HeldTask, outcome: TaskOutcome, going_on: GoingOn | None) -> Change | None:
        """Write the outcome, again and again while the database is away and the task is still ours."""
        while self._held.is_safe(held):
            try:
                return await end_claim(self._access, held.task, outcome, held.ran, going_on)
            except WindmillError as error:
                if error.retry != "pause":
                    raise
                await asyncio.sleep(min(self._held.database.failed(error), 1.0))
            except (DataRefused, TypeError, ValueError) as error:
                if isinstance(outcome, TaskRaised):
                    raise
                outcome = TaskRaised(WindmillError("DEFECT", f"what the step has made cannot be stored: {error}"))
        return None
