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

-- name: page_of_jobs_in_states
-- The same in the states $1 and of everybody. Pairs are compared and sorted by, because only the index of states has
-- them: of a rare state the planner expects as many jobs as of the others, and would read all.
SELECT job_id, public_id, kind, preset, status, priority, principal, progress, error_code, message, created_at,
       started_at, ended_at
FROM jobs JOIN (
    SELECT found.job_id FROM unnest($1::text[]) AS wanted (status) CROSS JOIN LATERAL (
        SELECT j.job_id FROM jobs AS j
        WHERE (j.status, j.job_id) >= (wanted.status, 0::bigint) AND (j.status, j.job_id) < (wanted.status, $4::bigint)
          AND ($2::text IS NULL OR j.preset = $2) AND ($3::text IS NULL OR j.error_code = $3)
        ORDER BY j.status DESC, j.job_id DESC LIMIT $5
    ) AS found
    ORDER BY found.job_id DESC LIMIT $5
) AS listed USING (job_id)
ORDER BY job_id DESC;

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
-- A step is running as soon as it is planned; as long as nobody has begun with it, people are told that it is pending.
-- The first tasks are claimed first, so no others are looked at.
SELECT coalesce(s.parameters ->> 'name', s.step) AS name, s.step, s.version,
       CASE WHEN t.begun THEN s.status ELSE 'pending' END AS status, s.skip_reason, s.planned, s.settled, s.failed,
       s.waited, s.ran, CASE WHEN t.begun THEN s.started_at END AS started_at, s.ended_at
FROM steps AS s CROSS JOIN LATERAL (
    SELECT s.status <> 'running' OR s.settled > 0 OR EXISTS (
        SELECT FROM (SELECT f.attempt FROM tasks AS f WHERE f.job_id = s.job_id AND f.position = s.position
                     ORDER BY f.shard LIMIT 100) AS first
        WHERE first.attempt > 0) AS begun
) AS t
WHERE s.job_id = $1 ORDER BY s.position;

-- name: show_job_request
-- What a job was asked for.
SELECT inputs, parameters, preset_version, idempotency_key, dedupe_key FROM jobs WHERE job_id = $1;

-- name: show_job_consents
SELECT text, reason, given_by, given_at FROM job_consents WHERE job_id = $1 ORDER BY given_at, text;

-- name: show_step_parameters
SELECT parameters FROM steps WHERE job_id = $1 ORDER BY position;

-- name: show_step_engines
-- Which engines did the shards of each step, and what the first shard of each says of it.
SELECT position, output ->> 'engine' AS engine, count(*)::integer AS shards,
       (array_agg(output -> 'facts' ORDER BY shard))[1] AS facts
FROM tasks WHERE job_id = $1 AND status = 'succeeded' AND output ? 'engine' GROUP BY 1, 2 ORDER BY 1, 2;

-- name: show_failed_tasks
-- The first $2 tasks of a job that have failed.
SELECT coalesce(s.parameters ->> 'name', s.step) AS step, t.shard, t.error_code, t.message, t.attempt, t.tries, t.lost,
       t.worker, t.ran, t.ended_at
FROM tasks AS t JOIN steps AS s ON s.job_id = t.job_id AND s.position = t.position
WHERE t.job_id = $1 AND t.status = 'failed' ORDER BY t.position, t.shard LIMIT $2;

-- name: list_events
-- The events of the job $1 after the number $2.
SELECT seq, at, kind, level, position, shard, data FROM job_events WHERE job_id = $1 AND seq > $2 ORDER BY seq LIMIT $3;

-- name: list_last_events
-- The last $2 events of the job $1.
SELECT seq, at, kind, level, position, shard, data FROM job_events WHERE job_id = $1
AND seq > (SELECT last_event FROM jobs WHERE job_id = $1) - $2::bigint ORDER BY seq;

-- name: list_step_work
-- What there is to do for each step, how many workers serve it, and why one of them puts its tasks off. A worker that
-- was silent for a minute is lost.
SELECT w.*, k.workers, k.paused
FROM step_work AS w CROSS JOIN LATERAL (
    SELECT count(*)::integer AS workers, max(k.breaker_reason) FILTER (WHERE k.breaker <> 'closed') AS paused
    FROM workers AS k
    WHERE k.service = w.step AND k.stopped_at IS NULL AND k.heartbeat_at > now() - interval '60 seconds'
) AS k
ORDER BY step;

-- name: count_open_jobs
-- Jobs that have not ended, by status.
SELECT status, count(*)::integer AS jobs FROM jobs WHERE ended_at IS NULL GROUP BY status ORDER BY status;

-- name: measure_steps
-- What the newest $2 successes of each of the steps $1 took, and what they were. Tasks that were not run tell nothing.
SELECT w.step, m.steps, m.tasks, m.ran
FROM unnest($1::text[]) AS w (step) CROSS JOIN LATERAL (
    SELECT count(*)::integer AS steps, sum(n.settled - n.reused)::integer AS tasks, sum(n.ran)::float8 AS ran
    FROM (SELECT s.settled, s.reused, s.ran FROM steps AS s
          WHERE s.step = w.step AND s.status = 'succeeded' AND s.ran > 0 AND s.settled > s.reused
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

-- name: measure_presets
-- What the newest jobs took that were made of presets in one go: the median by preset and level, of at most $2 jobs each
-- among the last $1 that have ended.
SELECT preset, quality, count(*)::integer AS jobs,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS seconds
FROM (SELECT preset, parameters ->> 'quality' AS quality, extract(epoch FROM ended_at - started_at)::float8 AS seconds,
             row_number() OVER (PARTITION BY preset, parameters ->> 'quality' ORDER BY ended_at DESC) AS number
      FROM (SELECT * FROM jobs WHERE ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT $1) AS newest
      WHERE status = 'succeeded' AND preset IS NOT NULL AND started_at IS NOT NULL AND attempt = 1
        AND forked_from IS NULL AND parameters ->> 'quality' IS NOT NULL) AS taken
WHERE number <= $2 GROUP BY preset, quality;
