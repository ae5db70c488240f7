"""Whatever happens to jobs in whatever order, over a real PostgreSQL: no finished step runs again, no task has two live
leases, no job is left in a state that nobody ends, and progress never falls."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.job_scene import CHAIN, STREAM, JobScene
from windmill.core.errors import Code, WindmillError
from windmill.core.settings import Settings
from windmill.jobs.access import Change
from windmill.jobs.claiming import begin_alone, note_progress, renew_leases
from windmill.jobs.forking import Changes, fork_job
from windmill.jobs.outcomes import TaskWaits
from windmill.jobs.reaping import plan_further, reap
from windmill.jobs.requests import cancel_job, change_priority, expire_job, pause_job, resume_job
from windmill.jobs.rerunning import rerun_job
from windmill.jobs.states import ENDED_JOBS, JobEvent, job_may
from windmill.storage import database
from windmill.storage.jobs.rows import ClaimedTask, TaskKey

pytestmark = pytest.mark.database

STEPS = ("cut", "draw", "join")
MOST_ROUNDS = 200
MOST_JOBS = 2
"""So that much happens to each."""
EMPTY = "; ".join(f"DELETE FROM {table}" for table in ("jobs", "steps", "tasks", "job_events", "step_queues"))
DUE = "UPDATE tasks SET not_before = now() WHERE not_before < 'infinity'"
FINISHED_BUT_RUNNING = """
SELECT count(*) FROM tasks JOIN steps USING (job_id, position)
WHERE tasks.status IN ('queued', 'running', 'waiting') AND steps.status <> 'running'
"""
ENDED_BUT_OPEN = """
SELECT count(*) FROM tasks JOIN jobs USING (job_id)
WHERE tasks.status IN ('queued', 'running', 'waiting') AND jobs.ended_at IS NOT NULL
"""
NOBODY_ENDS = """
SELECT count(*) FROM jobs AS j
WHERE j.ended_at IS NULL
  AND NOT EXISTS (SELECT FROM tasks AS t WHERE t.job_id = j.job_id AND t.status = 'running')
  AND (j.status = 'cancelling'
       OR NOT EXISTS (SELECT FROM tasks AS t WHERE t.job_id = j.job_id AND t.status IN ('queued', 'waiting')))
"""
HELD_BUT_NOT_PAUSED = """
SELECT count(*) FROM tasks JOIN jobs USING (job_id)
WHERE tasks.status = 'queued' AND (not_before = 'infinity') <> (jobs.status = 'paused')
"""
MISCOUNTED = """
SELECT count(*) FROM steps AS s JOIN jobs AS j USING (job_id),
LATERAL (SELECT count(*) AS planned, count(*) FILTER (WHERE status IN ('succeeded', 'failed')) AS settled,
                count(*) FILTER (WHERE status = 'failed') AS failed
         FROM tasks AS t WHERE t.job_id = s.job_id AND t.position = s.position) AS counted
WHERE (s.planned, s.settled, s.failed) <> (counted.planned, counted.settled, counted.failed)
"""
NEVER = {
    "a task is open in a step that does not run": FINISHED_BUT_RUNNING,
    "a task is open in a job that has ended": ENDED_BUT_OPEN,
    "a job is left that nobody ends": NOBODY_ENDS,
    "a task is held and its job not paused, or not held": HELD_BUT_NOT_PAUSED,
    "the counters of a step are wrong": MISCOUNTED,
}
Request = tuple[JobEvent | None, Callable[[int], Awaitable[Change]]]
HOW_OFTEN = "SELECT " + ", ".join(f'({statement}) AS "{what}"' for what, statement in NEVER.items())


class HistoryDatabase:
    """One database and one event loop for all histories, as each has hundreds."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self.run(self._open())

    async def _open(self) -> None:
        pool = await self._stack.enter_async_context(database.pool(self._settings, "test"))
        self.rows = await self._stack.enter_async_context(database.connection(self._settings, "test"))
        self.scene = JobScene(pool, self._settings, self.rows)

    def run(self, work: Awaitable[Any]) -> Any:  # noqa: ANN401 - what it gives
        async def within() -> Any:  # noqa: ANN401
            return await work

        return self._runner.run(within())

    def close(self) -> None:
        self.run(self._stack.aclose())
        self._runner.close()


class JobHistories(RuleBasedStateMachine):
    """One history. `live` are the tasks with leases that are good, `stale` those whose lease was taken away."""

    def __init__(self, used: HistoryDatabase) -> None:
        super().__init__()
        self._run, self._rows, self._scene = used.run, used.rows, used.scene
        self.live: dict[TaskKey, ClaimedTask] = {}
        self.stale: list[ClaimedTask] = []
        self.jobs: list[int] = []
        self.statuses: dict[int, str] = {}
        self._progress: dict[tuple[int, int], float] = {}
        self._run(self._rows.execute(EMPTY))

    @initialize(cut=st.integers(1, 3), budget=st.integers(0, 1), streams=st.booleans())
    def begin(self, cut: int, budget: int, streams: bool) -> None:
        self.submit(cut, budget, streams, None)

    @precondition(lambda self: len(self.jobs) < MOST_JOBS)
    @rule(cut=st.integers(0, 2), budget=st.integers(0, 1), streams=st.booleans(), key=st.sampled_from([None, "a"]))
    def submit(self, cut: int, budget: int, streams: bool, key: str | None) -> None:
        steps = STREAM if streams else CHAIN
        job = self._run(self._scene.submit(cut=cut, failure_budget=budget, steps=steps, dedupe_key=key))
        self.jobs = sorted({*self.jobs, job})

    @precondition(lambda self: self.jobs)
    @rule(first=st.integers(0, 2))
    def claim(self, first: int) -> None:
        """A task of each step that has one."""
        found = (self._run(self._scene.claim(step)) for step in (*STEPS[first:], *STEPS[:first]))
        for task in filter(None, found):
            assert task.key not in self.live, "two live leases"
            self.live[task.key] = task

    @precondition(lambda self: self.live)
    @rule(index=st.integers(0, 9), progress=st.floats(0, 1))
    def heartbeat(self, index: int, progress: float) -> None:
        task = self._pick(index)
        assert task.lease in self._run(renew_leases(self._scene.access, [task], [progress]))
        self._run(note_progress(self._scene.access, [task.job_id]))

    @precondition(lambda self: self.live)
    @rule(index=st.integers(0, 9), alone=st.booleans())
    def lose(self, index: int, alone: bool) -> None:
        task = self._pick(index)
        if alone:
            self._run(begin_alone(self._scene.access, task))
        self._run(self._rows.execute("UPDATE tasks SET lease_until = '-infinity' WHERE lease = $1", task.lease))
        self._run(reap(self._scene.access, grace_seconds=0))
        self.stale.append(self.live.pop(task.key))

    @precondition(lambda self: self.live)
    @rule(index=st.integers(0, 9), how=st.sampled_from(["succeed", "USAGE", "DEFECT", "BUSY", "give_back", "wait"]))
    def end(self, index: int, how: str) -> None:
        task = self._pick(index)
        assert self._run(self._end(task, how)) is not None
        self.live.pop(task.key)

    @precondition(lambda self: self.live)
    @rule(index=st.integers(0, 9), free=st.sets(st.sampled_from(STEPS)))
    def go_on(self, index: int, free: set[str]) -> None:
        """Succeed, in a process that may go on with the job."""
        task = self._pick(index)
        following = self._run(self._scene.go_on(task, *free)).next_task
        self.live.pop(task.key)
        if following:
            assert following.key not in self.live, "two live leases"
            self.live[following.key] = following

    @precondition(lambda self: self.stale)
    @rule(index=st.integers(0, 9), how=st.sampled_from(["succeed", "USAGE", "give_back"]))
    def end_without_lease(self, index: int, how: str) -> None:
        task = self.stale[index % len(self.stale)]
        assert self._run(self._end(task, how)) is None
        assert not self._run(renew_leases(self._scene.access, [task], [1.0]))

    async def _end(self, task: ClaimedTask, how: str) -> object:
        match how:
            case "succeed":
                return await self._scene.succeed(task)
            case "give_back":
                return await self._scene.give_back(task)
            case "wait":
                return await self._scene.end(task, TaskWaits({}, 60))
            case _:
                return await self._scene.fail(task, next(one for one in get_args(Code) if one == how))

    @rule()
    def time_passes(self) -> None:
        self._run(self._rows.execute(DUE))
        self._run(reap(self._scene.access, grace_seconds=0))

    @rule(index=st.integers(0, 9), which=st.integers(0, 99))
    def ask(self, index: int, which: int) -> None:
        """Something that the state of the job allows."""
        job = self.jobs[index % len(self.jobs)]
        allowed = [
            request for event, request in self._requests() if event is None or job_may(self.statuses[job], event)
        ]
        try:
            change = self._run(allowed[which % len(allowed)](job)) if allowed else None
        except WindmillError as error:
            if error.code not in ("CONFLICT", "NOT_FOUND"):
                raise
        else:
            self.jobs = sorted({*self.jobs, *([change.job_id] if change else [])})

    def _requests(self) -> list[Request]:
        """What may be asked, with the event that it is for the job's state. A fork is asked for while there is room."""
        access = self._scene.access
        forks: list[Request] = [(None, partial(fork_job, access, from_step=step, changes=Changes())) for step in STEPS]
        reruns: list[Request] = [("rerun", partial(rerun_job, access, from_step=step)) for step in (None, None, *STEPS)]
        return [
            ("cancel", partial(cancel_job, access, by="me")),
            ("expire", partial(expire_job, access)),
            ("pause", partial(pause_job, access, by="me")),
            ("resume", partial(resume_job, access, by="me")),
            ("cancel", partial(change_priority, access, priority=5)),
            *reruns,
            *(forks if len(self.jobs) < MOST_JOBS else []),
        ]

    def _pick(self, index: int) -> ClaimedTask:
        return list(self.live.values())[index % len(self.live)]

    @invariant()
    def nothing_is_wrong(self) -> None:
        found = self._run(self._rows.fetchrow(HOW_OFTEN))
        assert {what: number for what, number in found.items() if number} == {}

    @invariant()
    def who_has_a_lease_is_who_was_given_it(self) -> None:
        rows = self._run(self._rows.fetch("SELECT lease FROM tasks WHERE status = 'running'"))
        assert {row["lease"] for row in rows} == {task.lease for task in self.live.values()}

    @invariant()
    def progress_never_falls(self) -> None:
        for row in self._run(self._rows.fetch("SELECT job_id, status, attempt, progress FROM jobs")):
            self.statuses[row["job_id"]] = row["status"]
            key = row["job_id"], row["attempt"]
            assert row["progress"] >= self._progress.get(key, 0.0)
            self._progress[key] = row["progress"]

    def teardown(self) -> None:
        """Once nobody interferes any more, every job comes to an end."""
        self._run(self._finish())

    async def _finish(self) -> None:
        for job in self.jobs:
            if await self._scene.status(job) == "paused":
                await resume_job(self._scene.access, job, "me")
        for task in self.live.values():
            await self._scene.succeed(task)
        for _ in range(MOST_ROUNDS):
            await self._rows.execute(DUE)
            await reap(self._scene.access, grace_seconds=0)
            if not sum([await self._scene.run_step(step) for step in STEPS]):
                break
        for job in self.jobs:
            await plan_further(self._scene.access, job)
            assert await self._scene.status(job) in ENDED_JOBS


@pytest.mark.timeout(600)
def test_no_order_of_what_happens_to_jobs_breaks_a_promise(settings: Settings) -> None:
    used = HistoryDatabase(settings)
    try:
        run_state_machine_as_test(lambda: JobHistories(used), settings=HISTORIES)  # type: ignore[arg-type]
    finally:
        used.close()


HISTORIES = hypothesis_settings(
    max_examples=30, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
