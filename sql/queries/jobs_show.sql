-- What people see of jobs.

-- name: list_jobs
-- A page of the jobs that match $1 to $6: the newest first, and only those before the id $7.
SELECT job_id, public_id, kind, preset, status, priority, principal, progress, error_code, message, created_at,
       started_at, ended_at
FROM matching_jobs($1, $2, $3, $4, $5, $6) WHERE job_id < $7 ORDER BY job_id DESC LIMIT $8;

-- name: count_jobs
-- How many jobs match $1 to $6, and the last of them.
SELECT count(*) AS jobs, max(job_id) AS last FROM matching_jobs($1, $2, $3, $4, $5, $6);

-- name: next_jobs
-- A page of the jobs that match $1 to $6: the oldest first, after the id $7 and up to $8.
SELECT job_id, public_id FROM matching_jobs($1, $2, $3, $4, $5, $6)
WHERE job_id > $7 AND job_id <= $8 ORDER BY job_id LIMIT $9;

-- name: page_of_all_jobs
-- The next $5 before the one with the id $4, the newest first: in the states $1, of the preset $2, with the error $3;
-- NULL is any.
SELECT job_id, public_id, kind, preset, status, priority, principal, progress, error_code, message, created_at,
       started_at, ended_at
FROM jobs
WHERE ($1::text[] IS NULL OR status = ANY ($1)) AND ($2::text IS NULL OR preset = $2)
  AND ($3::text IS NULL OR error_code = $3) AND job_id < $4
ORDER BY job_id DESC LIMIT $5;

-- name: page_of_own_jobs
-- The same of the principal $6: a statement of its own, so that its plan reads no jobs of others.
SELECT job_id, public_id, kind, preset, status, priority, principal, progress, error_code, message, created_at,
       started_at, ended_at
FROM jobs
WHERE principal = $6 AND ($1::text[] IS NULL OR status = ANY ($1)) AND ($2::text IS NULL OR preset = $2)
  AND ($3::text IS NULL OR error_code = $3) AND job_id < $4
ORDER BY job_id DESC LIMIT $5;

-- name: has_job_ended
SELECT ended_at IS NOT NULL FROM jobs WHERE job_id = $1;

-- name: is_any_step_served
-- Whether a worker that is alive serves a step; one that was silent for a minute is lost.
SELECT EXISTS (SELECT FROM workers AS k JOIN step_queues AS q ON q.step = k.service
               WHERE k.stopped_at IS NULL AND k.heartbeat_at > now() - interval '60 seconds');

-- name: show_job
-- Of the principal $2; NULL is any.
SELECT job_id, last_event, public_id, kind, preset, status, priority, principal, progress, error_code, message, created_at,
       started_at, ended_at, attempt, warnings, deadline, failure_budget, paused_by, pause_reason, paused_until,
       (SELECT f.public_id FROM jobs AS f WHERE f.job_id = jobs.forked_from) AS forked_from
FROM jobs WHERE public_id = $1 AND ($2::text IS NULL OR principal = $2);

-- name: show_steps
SELECT coalesce(parameters ->> 'name', step) AS name, step, status, skip_reason, planned, settled, failed, waited, ran
FROM steps WHERE job_id = $1 ORDER BY position;

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

-- name: measure_steps
-- What the newest $2 successes of each of the steps $1 took, and what they were.
SELECT w.step, m.steps, m.tasks, m.ran
FROM unnest($1::text[]) AS w (step) CROSS JOIN LATERAL (
    SELECT count(*)::integer AS steps, sum(n.settled)::integer AS tasks, sum(n.ran)::float8 AS ran
    FROM (SELECT s.settled, s.ran FROM steps AS s WHERE s.step = w.step AND s.status = 'succeeded' AND s.ran > 0
          ORDER BY s.ended_at DESC LIMIT $2) AS n
) AS m WHERE m.tasks > 0;

-- name: list_step_outlooks
-- What is left of each step of the job $1: how many tasks of other jobs go before its own, counted up to 10,000, and
-- how many tasks the workers that are alive run at once.
SELECT s.step, s.status, s.streams, s.planned, s.settled, s.plan_cursor IS NULL AS planned_whole,
       (SELECT count(*) FROM (
            SELECT FROM tasks AS t
            WHERE t.step = s.step AND t.step_version = s.version AND t.status = 'queued' AND t.not_before IS NULL
              AND t.place < (SELECT min(o.place) FROM tasks AS o WHERE o.job_id = $1 AND o.position = s.position
                             AND o.status = 'queued' AND o.not_before IS NULL)
            LIMIT 10000) AS found)::integer AS ahead,
       (SELECT coalesce(sum(k.concurrency), 0) FROM workers AS k WHERE k.service = s.step AND k.stopped_at IS NULL
        AND k.heartbeat_at > now() - interval '60 seconds')::integer AS slots
FROM steps AS s WHERE s.job_id = $1 ORDER BY s.position;
