-- Tasks are claimed, and their leases renewed, by the clock of the database.

-- name: job_tables_are_there
SELECT FROM jobs, steps, tasks, job_events, artifacts WHERE false;

-- name: register_steps
-- Write down that this fleet has these steps; one that has had none of its tasks run yet has no work either.
INSERT INTO step_queues (step) SELECT unnest($1::text[]) ON CONFLICT (step) DO NOTHING;

-- name: list_steps
-- The steps that workers of this fleet have known.
SELECT step FROM step_queues ORDER BY step;

-- name: claim_task
-- Lease the best task of the step $1 in the version $2 for $4 seconds, under the token $3. The job starts with its
-- first task; while another has its row locked, whoever ends or renews a task later starts it. The deadline is asked
-- for in a subquery, and the job and the step are looked up under LIMIT: PostgreSQL turns neither into a join over all
-- jobs, which it would do as long as the statistics of the tables are of different ages. The task's columns begin with
-- task_; begun: the last event of a job that starts. If the step has no other task, its job's steps are returned, and
-- the version of the job's row that goes with them; none if somebody has changed the row as the claim began.
WITH best AS (
    SELECT t.job_id, t.position, t.shard FROM tasks AS t
    WHERE t.step = $1 AND t.step_version = $2 AND t.status = 'queued' AND t.not_before IS NULL
      AND coalesce((SELECT j.deadline FROM jobs AS j WHERE j.job_id = t.job_id), 'infinity') > clock_timestamp()
    ORDER BY t.place LIMIT 1 FOR NO KEY UPDATE OF t SKIP LOCKED
), claimed AS (
    UPDATE tasks AS t
    SET status = 'running', lease = $3, lease_until = clock_timestamp() + make_interval(secs => $4), worker = $5,
        attempt = t.attempt + 1, progress = 0, alone = false, claimed_at = clock_timestamp(),
        waited = t.waited + extract(epoch FROM clock_timestamp() - t.queued_at)
    FROM best AS b WHERE t.job_id = b.job_id AND t.position = b.position AND t.shard = b.shard
    RETURNING t.*
), idle AS MATERIALIZED (
    SELECT job_id, xmin AS version FROM jobs
    WHERE job_id = (SELECT job_id FROM claimed) AND status IN ('queued', 'waiting') FOR NO KEY UPDATE SKIP LOCKED
), begun AS (
    UPDATE jobs
    SET status = 'running', started_at = coalesce(started_at, clock_timestamp()), last_event = last_event + 1
    WHERE job_id = (SELECT job_id FROM idle)
    RETURNING job_id, last_event, xmin AS version
), told AS (
    INSERT INTO job_events (job_id, seq, kind) SELECT job_id, last_event, 'started' FROM begun
)
SELECT c.position AS task_position, c.shard AS task_shard, c.step AS task_step, c.step_version AS task_step_version,
       c.attempt AS task_attempt, c.tries AS task_tries, c.lost AS task_lost, c.input AS task_input,
       c.output AS task_output, c.lease AS task_lease, s.parameters AS task_step_parameters,
       extract(epoch FROM c.claimed_at - c.queued_at)::float8 AS task_waited, j.*, b.last_event AS begun,
       CASE WHEN b.version IS NULL THEN j.version
            WHEN (SELECT version FROM idle) = j.version THEN b.version END AS version,
       CASE WHEN s.planned = 1 THEN (SELECT jsonb_agg(to_jsonb(o) || '{"running": 0}' ORDER BY o.position)
                                     FROM steps AS o WHERE o.job_id = c.job_id) END AS steps
FROM claimed AS c
    CROSS JOIN LATERAL (SELECT *, xmin AS version FROM jobs WHERE job_id = c.job_id LIMIT 1) AS j
    CROSS JOIN LATERAL (SELECT * FROM steps WHERE job_id = c.job_id AND position = c.position LIMIT 1) AS s
    LEFT JOIN begun AS b ON true;

-- name: renew_leases
-- Prolong the leases $1 by $2 seconds and note the progress $3; only what is still leased is returned, with what its
-- job asks for. Tasks are found by key, since the leases are in no index.
UPDATE tasks AS t
SET lease_until = clock_timestamp() + make_interval(secs => $2), progress = greatest(t.progress, given.progress)
FROM unnest($1::uuid[], $3::real[], $4::bigint[], $5::smallint[], $6::integer[])
     AS given (lease, progress, job_id, position, shard), jobs AS j
WHERE t.job_id = given.job_id AND t.position = given.position AND t.shard = given.shard AND t.lease = given.lease
  AND j.job_id = t.job_id
RETURNING t.lease, j.status AS job_status;

-- name: begin_alone
-- The task runs alone in its process from now on, so if the process is lost, it is to blame.
UPDATE tasks SET alone = true WHERE job_id = $1 AND position = $2 AND shard = $3 AND lease = $4;

-- name: lock_leased_task
-- Lock a task, its job and the job's steps, in this order. No row if the lease was lost. The steps are locked so that
-- they are read as they are once the job is locked, and not as they were when the statement began. The task's columns
-- begin with task_. others_*: whether other tasks of the job run, are queued or wait.
WITH task AS MATERIALIZED (
    SELECT * FROM tasks WHERE job_id = $1 AND position = $2 AND shard = $3 AND lease = $4 FOR NO KEY UPDATE
), job AS MATERIALIZED (
    SELECT * FROM jobs WHERE job_id = (SELECT job_id FROM task) FOR NO KEY UPDATE
), own_steps AS MATERIALIZED (
    SELECT s.*, CASE WHEN s.status = 'running' THEN (
               SELECT coalesce(sum(t.progress), 0) FROM tasks AS t
               WHERE t.job_id = s.job_id AND t.status IN ('running', 'waiting') AND t.position = s.position
                 AND (t.position, t.shard) <> ($2, $3)) ELSE 0 END AS running
    FROM steps AS s WHERE s.job_id = (SELECT job_id FROM job) FOR NO KEY UPDATE OF s
)
SELECT t.job_id AS task_job_id, t.position AS task_position, t.shard AS task_shard, t.step AS task_step,
       t.step_version AS task_step_version, t.attempt AS task_attempt, t.tries AS task_tries, t.lost AS task_lost,
       t.alone AS task_alone, t.output AS task_output,
       extract(epoch FROM t.claimed_at - t.queued_at)::float8 AS task_waited,
       extract(epoch FROM clock_timestamp() - t.claimed_at)::float8 AS task_ran, j.*,
       (SELECT jsonb_agg(o ORDER BY o.position) FROM own_steps AS o) AS steps,
       EXISTS (SELECT FROM tasks AS o WHERE o.job_id = $1 AND o.status = 'running'
               AND (o.position, o.shard) <> ($2, $3)) AS others_running,
       EXISTS (SELECT FROM tasks AS o WHERE o.job_id = $1 AND o.status = 'queued') AS others_queued,
       EXISTS (SELECT FROM tasks AS o WHERE o.job_id = $1 AND o.status = 'waiting') AS others_waiting
FROM task AS t CROSS JOIN job AS j;

-- name: insert_artifacts
INSERT INTO artifacts (job_id, position, shard, name, media_type, bytes, sha256, key)
SELECT $1, $2, $3, name, media_type, bytes, sha256, key
FROM unnest($4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[])
     AS given (name, media_type, bytes, sha256, key)
ON CONFLICT (job_id, position, shard, name) DO UPDATE
SET media_type = excluded.media_type, bytes = excluded.bytes, sha256 = excluded.sha256, key = excluded.key;
