-- What people see of jobs.

-- name: list_jobs
-- The newest first; only those in the states $1 unless it is NULL.
SELECT job_id, public_id, kind, preset, status, priority, principal, progress, error_code, message, created_at,
       started_at, ended_at
FROM jobs WHERE $1::text[] IS NULL OR status = ANY ($1) ORDER BY job_id DESC LIMIT $2;

-- name: show_job
SELECT job_id, public_id, kind, preset, status, priority, principal, progress, error_code, message, created_at,
       started_at, ended_at, attempt, warnings, deadline, failure_budget, paused_by, pause_reason, paused_until,
       (SELECT f.public_id FROM jobs AS f WHERE f.job_id = jobs.forked_from) AS forked_from
FROM jobs WHERE public_id = $1;

-- name: show_steps
SELECT step, status, skip_reason, planned, settled, failed, waited, ran FROM steps WHERE job_id = $1 ORDER BY position;

-- name: list_events
-- The events of the job $1 after the number $2.
SELECT seq, at, kind, level, position, shard, data FROM job_events WHERE job_id = $1 AND seq > $2 ORDER BY seq LIMIT $3;

-- name: list_step_work
-- What there is to do for each step, and how many workers serve it; one that was silent for a minute is lost.
SELECT w.*, (SELECT count(*) FROM workers AS k WHERE k.service = w.step AND k.stopped_at IS NULL
             AND k.heartbeat_at > now() - interval '60 seconds')::integer AS workers
FROM step_work AS w ORDER BY step;

-- name: count_open_jobs
-- Jobs that have not ended, by status.
SELECT status, count(*)::integer AS jobs FROM jobs WHERE ended_at IS NULL GROUP BY status ORDER BY status;
