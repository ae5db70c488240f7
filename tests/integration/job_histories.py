"""Histories of jobs: a state machine whose rules are all that may happen to them, in any order."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.integration.claimants import ClaimantProcess, Held
from tests.integration.history_database import NAMES, HistoryDatabase
from tests.integration.job_promises import CLAIMABLE, HOW_OFTEN, STEPS, SUCCEEDED, FinishedTasks
from tests.job_scene import CHAIN, STREAM
from windmill.core.errors import WindmillError
from windmill.jobs.access import Change
from windmill.jobs.forking import Changes, fork_job
from windmill.jobs.reaping import plan_further, reap
from windmill.jobs.requests import cancel_job, change_priority, expire_job, pause_job, resume_job
from windmill.jobs.rerunning import rerun_job
from windmill.jobs.states import ENDED_JOBS, JobEvent, job_may
from windmill.storage.jobs.rows import TaskKey

MOST_ROUNDS = 200
MOST_JOBS = 2
"""So that much happens to each."""
EMPTY = "; ".join(f"DELETE FROM {table}" for table in ("jobs", "steps", "tasks", "job_events", "step_queues"))
DUE = "UPDATE tasks SET not_before = now() WHERE not_before < 'infinity'"
INDEX = st.integers(0, 9)
STEP = st.sampled_from(NAMES)
OUTCOME = st.sampled_from(["succeed", "succeed", "USAGE", "DEFECT", "BUSY", "give_back", "wait"])


@dataclass(frozen=True)
class Request:
    """What may be asked of a job if its state allows this event; a rerun may name the step that it begins with."""

    event: JobEvent | None
    ask: Callable[[int], Awaitable[Change]]
    from_step: str | None = None


class JobHistories(RuleBasedStateMachine):
    """One history. `live` are the tasks with leases that are good, `stale` those whose lease was taken away."""

    def __init__(self, used: HistoryDatabase) -> None:
        super().__init__()
        self._run, self._rows, self._scene, self._claimants = used.run, used.rows, used.scene, used.claimants
        self.live: dict[TaskKey, Held] = {}
        self.stale: list[Held] = []
        self.jobs: list[int] = []
        self.statuses: dict[int, str] = {}
        self._finished = FinishedTasks()
        self._progress: dict[tuple[int, int], float] = {}
        self._run(self._rows.execute(EMPTY))
        self._claimants[0].ask("purge")

    @initialize(cut=st.integers(1, 3), budget=st.integers(0, 1), streams=st.booleans(), claimed=st.integers(0, 3))
    def begin(self, cut: int, budget: int, streams: bool, claimed: int) -> None:
        self.submit(cut, budget, streams, None)
        for turn in range(claimed):
            self.claim(0, turn % 2)

    @precondition(lambda self: len(self.jobs) < MOST_JOBS)
    @rule(cut=st.integers(0, 2), budget=st.integers(0, 1), streams=st.booleans(), key=st.sampled_from([None, "a"]))
    def submit(self, cut: int, budget: int, streams: bool, key: str | None) -> None:
        steps, before = STREAM if streams else CHAIN, self._steps()
        job = self._run(self._scene.submit(cut=cut, failure_budget=budget, steps=steps, dedupe_key=key))
        if self.statuses.get(job) in ("failed", "cancelled", "expired"):
            self._finished.rerun(before[job], None)
        self.jobs = sorted({*self.jobs, job})

    @precondition(lambda self: self.jobs)
    @rule(first=st.integers(0, 2), who=st.integers(0, 1))
    def claim(self, first: int, who: int) -> None:
        """A task of each step that has one, as slots do that got no token for a second."""
        for step in (*NAMES[first:], *NAMES[:first]):
            self._hold(self._claimants[who], self._claimants[who].ask("claim", step=step))

    @rule(step=STEP, who=st.integers(0, 1))
    def take_a_token(self, step: str, who: int) -> None:
        """It may be one too many."""
        taken = self._claimants[who].ask("take", step=step)
        self._hold(self._claimants[who], taken and taken["task"])

    def _hold(self, claimant: ClaimantProcess, task: Mapping[str, Any] | None) -> bool:
        if task is None:
            return False
        held = Held(TaskKey(*task["key"]), task["lease"], claimant)
        assert held.key not in self.live, "two live leases"
        self._finished.must_not_hold(held.key)
        self.live[held.key] = held
        return True

    @rule(what=st.sampled_from(["top_up", "duplicate", "lose"]), step=STEP, who=st.integers(0, 1))
    def change_tokens(self, what: str, step: str, who: int) -> None:
        match what:
            case "top_up":
                self._top_up(self._claimants[who])
            case "duplicate":
                self._claimants[who].ask("publish", step=step, number=2)
            case _:
                self._claimants[who].ask("purge")

    def _top_up(self, claimant: ClaimantProcess) -> None:
        """Then there is a token for each task that can be claimed, and none was added beyond that."""
        before = claimant.ask("tokens")
        claimant.ask("top_up")
        claimable = dict(self._run(self._rows.fetch(CLAIMABLE)))
        assert claimant.ask("tokens") == {step: max(before[step], claimable.get(step, 0)) for step in NAMES}

    @precondition(lambda self: self.live)
    @rule(index=INDEX, progress=st.floats(0, 1))
    def heartbeat(self, index: int, progress: float) -> None:
        assert self._pick(index).ask("renew", progress=progress)

    @precondition(lambda self: self.live)
    @rule(index=INDEX, alone=st.booleans())
    def lose(self, index: int, alone: bool) -> None:
        task = self._pick(index)
        if alone:
            task.ask("begin_alone")
        self._run(self._rows.execute("UPDATE tasks SET lease_until = '-infinity' WHERE lease = $1", task.lease))
        self._run(reap(self._scene.access, grace_seconds=0))
        self.stale.append(self.live.pop(task.key))

    @precondition(lambda self: self.live)
    @rule(index=INDEX, how=OUTCOME)
    def end(self, index: int, how: str) -> None:
        task = self._pick(index)
        assert task.end(how)
        self._ended(task, how)

    @precondition(lambda self: len(self.live) > 1)
    @rule(how=OUTCOME)
    def end_all_at_once(self, how: str) -> None:
        at = time.time() + 0.01
        for claimant in self._claimants:
            leases = [task.lease for task in self.live.values() if task.holder is claimant]
            claimant.tell("end", leases=leases, how=how, at=at)
        assert all([good for claimant in self._claimants for good in claimant.answer()])
        for task in list(self.live.values()):
            self._ended(task, how)

    @precondition(lambda self: self.live)
    @rule(index=INDEX, free=st.sets(STEP))
    def go_on(self, index: int, free: set[str]) -> None:
        """Succeed, in a process that may go on with the job."""
        task = self._pick(index)
        following = task.ask("go_on", steps=sorted(free))
        self._ended(task, "succeed")
        self._hold(task.holder, following)

    def _ended(self, task: Held, how: str) -> None:
        self.live.pop(task.key)
        if how == "succeed":
            self._finished.add(task.key)

    @precondition(lambda self: self.stale)
    @rule(index=INDEX, how=st.sampled_from(["succeed", "USAGE", "give_back"]))
    def end_without_lease(self, index: int, how: str) -> None:
        task = self.stale[index % len(self.stale)]
        assert not task.end(how)
        assert not task.ask("renew", progress=1.0)

    @rule()
    def time_passes(self) -> None:
        self._run(self._rows.execute(DUE))
        self._run(reap(self._scene.access, grace_seconds=0))

    @rule(index=INDEX, which=st.integers(0, 99))
    def ask(self, index: int, which: int) -> None:
        """Something that the state of the job allows."""
        job = self.jobs[index % len(self.jobs)]
        allowed = [one for one in self._requests() if one.event is None or job_may(self.statuses[job], one.event)]
        if not allowed:
            return
        request, before = allowed[which % len(allowed)], self._steps()
        try:
            change = self._run(request.ask(job))
        except WindmillError as error:
            if error.code not in ("CONFLICT", "NOT_FOUND"):
                raise
            return
        if request.event == "rerun":
            self._finished.rerun(before[job], request.from_step)
        if change.job_id not in self.jobs:
            self._finished.copied(self._run(self._rows.fetch(f"{SUCCEEDED} AND job_id = $1", change.job_id)))
            self.jobs.append(change.job_id)

    def _requests(self) -> list[Request]:
        """A fork is asked for while there is room."""
        access = self._scene.access
        forks = [Request(None, partial(fork_job, access, from_step=step, changes=Changes())) for step in NAMES]
        starts = (None, None, *NAMES)
        reruns = [Request("rerun", partial(rerun_job, access, from_step=step), step) for step in starts]
        return [
            Request("cancel", partial(cancel_job, access, by="me")),
            Request("expire", partial(expire_job, access)),
            Request("pause", partial(pause_job, access, by="me")),
            Request("resume", partial(resume_job, access, by="me")),
            Request("cancel", partial(change_priority, access, priority=5)),
            *reruns,
            *(forks if len(self.jobs) < MOST_JOBS else []),
        ]

    def _pick(self, index: int) -> Held:
        return list(self.live.values())[index % len(self.live)]

    def _steps(self) -> dict[int, list[Any]]:
        rows = self._run(self._rows.fetch(STEPS))
        return {job: [row for row in rows if row["job_id"] == job] for job in self.jobs}

    @invariant()
    def nothing_is_wrong(self) -> None:
        found = self._run(self._rows.fetchrow(HOW_OFTEN))
        wrong = {what: number for what, number in found.items() if number}
        assert wrong == {}, wrong

    @invariant()
    def who_has_a_lease_is_who_was_given_it(self) -> None:
        rows = self._run(self._rows.fetch("SELECT lease::text FROM tasks WHERE status = 'running'"))
        assert {row["lease"] for row in rows} == {task.lease for task in self.live.values()}

    @invariant()
    def what_has_succeeded_stays_so(self) -> None:
        assert {TaskKey(*row) for row in self._run(self._rows.fetch(SUCCEEDED))} == self._finished.keys

    @invariant()
    def progress_never_falls(self) -> None:
        for row in self._run(self._rows.fetch("SELECT job_id, status, attempt, progress FROM jobs")):
            self.statuses[row["job_id"]] = row["status"]
            key = row["job_id"], row["attempt"]
            assert row["progress"] >= self._progress.get(key, 0.0)
            self._progress[key] = row["progress"]

    def teardown(self) -> None:
        """Once nobody interferes any more, every job comes to an end, by nothing but the tokens that come back."""
        for job in self.jobs:
            if self.statuses.get(job) == "paused":
                self._run(resume_job(self._scene.access, job, "me"))
        while self.live:
            self.end(0, "succeed")
        self._claimants[0].ask("purge")
        for _ in range(MOST_ROUNDS):
            self.time_passes()
            self._top_up(self._claimants[0])
            if not sum(self._use_up_tokens(step) for step in NAMES):
                break
        for job in self.jobs:
            self._run(plan_further(self._scene.access, job))
            assert self._run(self._scene.status(job)) in ENDED_JOBS

    def _use_up_tokens(self, step: str) -> int:
        """Both processes in turn take tokens and do the work; how many tasks there were."""
        tasks = 0
        for turn in range(MOST_ROUNDS):
            claimant = self._claimants[turn % 2]
            taken = claimant.ask("take", step=step)
            if taken is None:
                return tasks
            if self._hold(claimant, taken["task"]):
                self.end(0, "succeed")
                tasks += 1
        raise AssertionError(f"the tokens of {step} do not come to an end")
