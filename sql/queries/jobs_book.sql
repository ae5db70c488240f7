-- A job with its steps, read under the lock on the job's row and written back.

-- name: lock_job
SELECT * FROM jobs WHERE job_id = $1 FOR NO KEY UPDATE;

-- name: lock_idle_job
-- No row if another has it locked.
SELECT * FROM jobs WHERE job_id = $1 FOR NO KEY UPDATE SKIP LOCKED;

-- name: find_job
-- Of the principal $2; NULL is any.
SELECT job_id FROM jobs WHERE public_id = $1 AND ($2::text IS NULL OR principal = $2);

-- name: read_steps
SELECT * FROM steps WHERE job_id = $1 ORDER BY position;

-- name: save_job
-- The job's row, and $14 events whose columns are the arrays $15 to $19.
WITH kept AS (
    UPDATE jobs SET status = $2, ends_as = $3, priority = $4, attempt = $5, progress = $6, error_code = $7,
        message = $8, warnings = $9, paused_by = $10, pause_reason = $11, paused_until = $12,
        last_event = last_event + $14::integer,
        started_at = CASE WHEN $2 = 'running' THEN coalesce(started_at, clock_timestamp()) ELSE started_at END,
        ended_at = CASE WHEN $13 THEN coalesce(ended_at, clock_timestamp()) END,
        progress_at = CASE WHEN progress <> $6 THEN clock_timestamp() ELSE progress_at END
    WHERE job_id = $1
    RETURNING job_id, last_event
)
INSERT INTO job_events (job_id, seq, kind, position, shard, level, data)
SELECT kept.job_id, kept.last_event - $14 + number, kind, position, shard, level, data::jsonb
FROM kept, unnest($15::text[], $16::smallint[], $17::integer[], $18::text[], $19::text[])
     WITH ORDINALITY AS given (kind, position, shard, level, data, number);

-- name: save_steps
UPDATE steps AS s
SET status = given.status, planned = given.planned, plan_cursor = given.plan_cursor, settled = given.settled,
    failed = given.failed, waited = given.waited, ran = given.ran,
    started_at = CASE WHEN given.status = 'pending' THEN NULL ELSE coalesce(s.started_at, clock_timestamp()) END,
    ended_at = CASE WHEN given.status NOT IN ('pending', 'running') THEN coalesce(s.ended_at, clock_timestamp()) END
FROM unnest($2::smallint[], $3::text[], $4::integer[], $5::integer[], $6::integer[], $7::integer[], $8::float8[],
            $9::float8[])
     AS given (position, status, planned, plan_cursor, settled, failed, waited, ran)
WHERE s.job_id = $1 AND s.position = given.position;

-- name: cancel_open_tasks
-- All tasks of a job that do not run, and what they wait for.
WITH held AS (
    SELECT job_id, position, shard FROM result_waits WHERE job_id = $1 ORDER BY position, shard FOR UPDATE
), pairs AS (
    DELETE FROM awaited_results AS a USING held AS h
    WHERE a.job_id = h.job_id AND a.position = h.position AND a.shard = h.shard
), waits AS (
    DELETE FROM result_waits AS w USING held AS h
    WHERE w.job_id = h.job_id AND w.position = h.position AND w.shard = h.shard
)
UPDATE tasks SET status = 'cancelled', not_before = NULL, ended_at = clock_timestamp()
WHERE job_id = $1 AND status IN ('queued', 'waiting');

-- name: hold_tasks
-- Nobody claims them until the job is resumed.
UPDATE tasks SET not_before = 'infinity' WHERE job_id = $1 AND status = 'queued';

-- name: retag_tasks
-- New tags for the queued tasks of a step of a job: the n-th gets $3 + n * $4. Those that were held may start now,
-- unless the job is paused ($6).
UPDATE tasks AS t
SET tag = $3::float8 + (n.number - 1) * $4::float8, place = $3::float8 + (n.number - 1) * $4::float8 - $5::float8,
    not_before = CASE WHEN $6 THEN timestamptz 'infinity' WHEN t.not_before < 'infinity' THEN t.not_before END
FROM (SELECT shard, row_number() OVER (ORDER BY shard) AS number FROM tasks
      WHERE job_id = $1 AND position = $2 AND status = 'queued') AS n
WHERE t.job_id = $1 AND t.position = $2 AND t.shard = n.shard AND t.status = 'queued';

-- name: find_open_tasks
-- Which kinds of open tasks the job has.
SELECT EXISTS (SELECT FROM tasks WHERE job_id = $1 AND status = 'running') AS running,
       EXISTS (SELECT FROM tasks WHERE job_id = $1 AND status = 'queued') AS queued,
       EXISTS (SELECT FROM tasks WHERE job_id = $1 AND status = 'waiting') AS waiting;

-- name: read_running_progress
-- What the tasks of each step that run or wait have done, as a number of shards.
SELECT position, sum(progress)::float8 AS done FROM tasks
WHERE job_id = $1 AND status IN ('running', 'waiting') GROUP BY position;

-- name: requeue_ended_tasks
-- The tasks of a step that have not succeeded start afresh; their number.
WITH again AS (
    UPDATE tasks SET status = 'queued', tries = 0, lost = 0, alone = false, progress = 0, error_code = NULL,
        message = NULL, ended_at = NULL, queued_at = clock_timestamp(), not_before = NULL, output = NULL
    WHERE job_id = $1 AND position = $2 AND status IN ('failed', 'cancelled')
    RETURNING 1
)
SELECT count(*)::integer FROM again;

-- name: delete_tasks
-- All that the steps from $2 on have planned and made.
WITH gone AS (DELETE FROM artifacts WHERE job_id = $1 AND position >= $2)
DELETE FROM tasks WHERE job_id = $1 AND position >= $2;

-- name: copy_finished_steps
-- The steps of the job $1 before the position $3, with their tasks and artifacts, for the job $2; the files that it was
-- submitted with only if $4.
WITH copied_tasks AS (
    INSERT INTO tasks (job_id, position, shard, step, step_version, principal, status, tag, place, attempt, tries,
                       input, output, error_code, message, progress, queued_at, claimed_at, ended_at, waited, ran)
    SELECT $2, position, shard, step, step_version, principal, status, tag, place, attempt, tries,
           input, output, error_code, message, progress, queued_at, claimed_at, ended_at, waited, ran
    FROM tasks WHERE job_id = $1 AND position < $3
), copied_artifacts AS (
    INSERT INTO artifacts (job_id, position, shard, name, media_type, bytes, sha256, key, created_at, expires_at)
    SELECT $2, position, shard, name, media_type, bytes, sha256, key, created_at, expires_at
    FROM artifacts WHERE job_id = $1 AND position < $3 AND (position >= 0 OR $4)
)
UPDATE steps AS mine
SET status = theirs.status, planned = theirs.planned, plan_cursor = theirs.plan_cursor, settled = theirs.settled,
    failed = theirs.failed, started_at = theirs.started_at, ended_at = theirs.ended_at
FROM steps AS theirs
WHERE mine.job_id = $2 AND theirs.job_id = $1 AND theirs.position = mine.position AND mine.position < $3;
