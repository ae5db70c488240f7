-- What nobody ended is ended, and what is due is let go. Any number of processes may run these at any time. The time is
-- that of the statement: PostgreSQL looks up no index by clock_timestamp(), which may change from row to row.

-- name: find_lost_leases
-- Nothing is taken over in the first $1 seconds of this connection or of the server: those who were cut off come first.
SELECT job_id, position, shard, lease, step FROM tasks
WHERE status = 'running' AND lease_until < statement_timestamp()
  AND pg_postmaster_start_time() < statement_timestamp() - make_interval(secs => $1)
  AND (SELECT backend_start FROM pg_stat_get_activity(pg_backend_pid())) < statement_timestamp() - make_interval(secs => $1)
LIMIT 100;

-- name: lock_lost_task
-- No row if the lease was renewed, or somebody else has the task locked.
SELECT true FROM tasks
WHERE job_id = $1 AND position = $2 AND shard = $3 AND lease = $4 AND lease_until < clock_timestamp()
FOR NO KEY UPDATE SKIP LOCKED;

-- name: find_overdue_jobs
SELECT job_id FROM jobs
WHERE ended_at IS NULL AND deadline <= statement_timestamp() AND status <> 'cancelling' LIMIT 100;

-- name: find_expired_pauses
SELECT job_id FROM jobs WHERE status = 'paused' AND paused_until <= statement_timestamp() LIMIT 100;

-- name: let_go_due_tasks
-- Tasks whose time has come; the steps that got some.
WITH due AS (
    SELECT job_id, position, shard FROM tasks
    WHERE status = 'queued' AND not_before <= statement_timestamp() LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE tasks AS t SET not_before = NULL FROM due AS d
WHERE t.job_id = d.job_id AND t.position = d.position AND t.shard = d.shard
RETURNING t.step;

-- name: find_overdue_waits
-- Jobs with tasks that have waited to their limit.
SELECT DISTINCT job_id FROM tasks WHERE status = 'waiting' AND not_before <= statement_timestamp() LIMIT 100;

-- name: wake_tasks
-- The waiting tasks of a job, or the one task $2, $3, run again and see what became of what they waited for; without
-- a task, those that are overdue. They are held if the job is paused ($4). The steps that got some.
UPDATE tasks
SET status = 'queued', queued_at = clock_timestamp(), not_before = CASE WHEN $4 THEN timestamptz 'infinity' END
WHERE job_id = $1 AND status = 'waiting'
  AND CASE WHEN $2::smallint IS NULL THEN not_before <= statement_timestamp() ELSE position = $2 AND shard = $3 END
RETURNING step;

-- name: advance_virtual_times
-- The virtual time of each queue follows what runs.
INSERT INTO step_queues AS q (step, virtual_time)
SELECT DISTINCT ON (step) step, tag FROM tasks WHERE status = 'running' AND step = ANY ($1) ORDER BY step, tag DESC
ON CONFLICT (step) DO UPDATE SET virtual_time = excluded.virtual_time WHERE q.virtual_time < excluded.virtual_time;

-- name: may_top_up
-- Whether no other process tops up the tokens of this step; true for one at a time, until its transaction ends.
SELECT pg_try_advisory_xact_lock(hashtextextended('windmill step ' || current_schema() || ' ' || $1, 0));

-- name: count_claimable
-- Up to $2 tasks of the step that may start now.
SELECT count(*)::integer FROM (
    SELECT FROM tasks WHERE step = $1 AND status = 'queued' AND not_before IS NULL LIMIT $2) AS found;

-- name: take_turn
-- Whether it is this process's turn: nobody of the fleet took one under the name $1 in the last $2 seconds.
INSERT INTO turns AS t (name, next_at)
SELECT $1, clock_timestamp() + make_interval(secs => $2)
WHERE NOT EXISTS (SELECT FROM turns WHERE name = $1 AND next_at > clock_timestamp())
ON CONFLICT (name) DO UPDATE SET next_at = excluded.next_at WHERE t.next_at <= clock_timestamp()
RETURNING true;

-- name: is_reaping_due
-- Whether there is anything that a process without steps can end or let go.
SELECT EXISTS (SELECT FROM tasks WHERE status = 'running' AND lease_until < statement_timestamp())
    OR EXISTS (SELECT FROM tasks WHERE status = 'queued' AND not_before <= statement_timestamp())
    OR EXISTS (SELECT FROM tasks WHERE status = 'waiting' AND not_before <= statement_timestamp())
    OR EXISTS (SELECT FROM result_waits AS w JOIN tasks AS t USING (job_id, position, shard)
               WHERE w.awaited <= w.wakes_at AND t.status = 'waiting')
    OR EXISTS (SELECT FROM jobs WHERE ended_at IS NULL AND deadline <= statement_timestamp() AND status <> 'cancelling')
    OR EXISTS (SELECT FROM jobs WHERE status = 'paused' AND paused_until <= statement_timestamp());

-- name: list_unattended_steps
-- Steps with work, and how many tasks, that no worker serves that sent a heartbeat in the last $1 seconds.
SELECT step, claimable + unplanned AS tasks FROM step_work AS w
WHERE claimable + unplanned > 0
  AND NOT EXISTS (SELECT FROM workers AS k WHERE k.service = w.step AND k.stopped_at IS NULL
                  AND k.heartbeat_at > now() - make_interval(secs => $1));
