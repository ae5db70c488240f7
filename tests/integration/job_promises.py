"""What must be true of jobs at any time, whatever happened to them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from windmill.storage.jobs.rows import TaskKey

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
HOW_OFTEN = "SELECT " + ", ".join(f'({statement}) AS "{what}"' for what, statement in NEVER.items())
SUCCEEDED = "SELECT job_id, position, shard FROM tasks WHERE status = 'succeeded'"
STEPS = "SELECT job_id, position, step, streams, failed, status FROM steps ORDER BY position"
CLAIMABLE = "SELECT step, count(*) FROM tasks WHERE status = 'queued' AND not_before IS NULL GROUP BY step"

Row = Mapping[str, Any]


class FinishedTasks:
    """The tasks that have succeeded and never run again, as far as nobody asks for that by name. Mutable."""

    def __init__(self) -> None:
        self.keys: set[TaskKey] = set()

    def must_not_hold(self, key: TaskKey) -> None:
        """Such a task is claimed, or has succeeded."""
        assert key not in self.keys, f"{key} was finished, and runs again"

    def add(self, key: TaskKey) -> None:
        self.must_not_hold(key)
        self.keys.add(key)

    def copied(self, rows: Iterable[Sequence[int]]) -> None:
        """A fork has these from its original."""
        self.keys |= {TaskKey(*row) for row in rows}

    def rerun(self, steps: Sequence[Row], from_step: str | None) -> None:
        """A job whose steps were these runs again. Without a name only what was made from less than all is made again,
        so neither what comes before the step that failed, nor its shards that succeeded, nor what streams from them."""
        first = next(row for row in steps if _runs_again(row, from_step))
        kept = not from_step
        for row in steps:
            if row["position"] > first["position"]:
                kept = kept and row["streams"]
            if row["position"] >= first["position"] and not kept:
                self.keys = {key for key in self.keys if key[:2] != (row["job_id"], row["position"])}


def _runs_again(row: Row, from_step: str | None) -> bool:
    return bool(row["step"] == from_step if from_step else row["status"] != "succeeded" or row["failed"] > 0)
