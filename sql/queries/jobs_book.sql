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
-- Each with what its tasks that run or wait have done, as a number of shards.
SELECT jsonb_agg(o ORDER BY o.position) FROM (
    SELECT s.*, CASE WHEN s.status = 'running' THEN (
               SELECT coalesce(sum(t.progress), 0) FROM tasks AS t
               WHERE t.job_id = s.job_id AND t.status IN ('running', 'waiting') AND t.position = s.position)
           ELSE 0 END AS running
    FROM steps AS s WHERE s.job_id = $1) AS o;

-- name: save_book
-- Write what has changed of the job $1, which is locked: its row $2, new events $3, steps $4, the task $5 whose claim
-- ends (or NULL), and new tasks $6. That goes back to the queue after a delay, or waits so long for something else; new
-- ones are held while the job is paused. One with a lease is claimed at once, for $7 seconds by the worker $8, unless a
-- task is queued there that comes before it or the deadline has passed; its lease is returned if it was. With $9 new
-- tasks are cancelled, as all that is open. Tags and places of new tasks count from where the job's principal stands in
-- the queue of their step. With $11, the job was not locked: nothing is written and no row returned unless its row has
-- that version still, and the task the lease $10. The version that the row has now is returned.
WITH held AS MATERIALIZED (
    SELECT FROM tasks
    WHERE job_id = $1 AND position = ($5::jsonb ->> 'position')::smallint AND shard = ($5 ->> 'shard')::integer
      AND lease = $10::uuid
    FOR NO KEY UPDATE
), locked AS MATERIALIZED (
    SELECT FROM jobs WHERE job_id = $1 AND ($11::xid IS NULL OR (xmin = $11 AND EXISTS (SELECT FROM held)))
    FOR NO KEY UPDATE
), clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now FROM locked
), kept AS (
    UPDATE jobs AS j
    SET status = g.status, ends_as = g.ends_as, priority = g.priority, attempt = g.attempt, progress = g.progress,
        error_code = g.error_code, message = g.message, warnings = g.warnings, paused_by = g.paused_by,
        pause_reason = g.pause_reason, paused_until = g.paused_until,
        last_event = j.last_event + jsonb_array_length($3::jsonb),
        started_at = CASE WHEN g.status = 'running' THEN coalesce(j.started_at, now) ELSE j.started_at END,
        ended_at = CASE WHEN g.ended THEN coalesce(j.ended_at, now) END,
        progress_at = CASE WHEN j.progress <> g.progress THEN now ELSE j.progress_at END
    FROM clock, jsonb_to_record($2::jsonb) AS g (
        status text, ends_as text, priority smallint, attempt integer, progress real, error_code text, message text,
        warnings jsonb, paused_by text, pause_reason text, paused_until timestamptz, ended boolean)
    WHERE j.job_id = $1
    RETURNING j.job_id, j.status, j.principal, j.deadline, j.last_event, j.xmin AS version
), told AS (
    INSERT INTO job_events (job_id, seq, kind, position, shard, level, data)
    SELECT k.job_id, k.last_event - jsonb_array_length($3) + e.number, e.kind, e.position, e.shard, e.level, e.data
    FROM kept AS k, jsonb_to_recordset($3) AS e (
        number integer, kind text, position smallint, shard integer, level text, data jsonb)
), saved_steps AS (
    UPDATE steps AS s
    SET status = g.status, planned = g.planned, plan_cursor = g.plan_cursor, settled = g.settled, failed = g.failed,
        waited = g.waited, ran = g.ran, reused = g.reused,
        started_at = CASE WHEN g.status = 'pending' THEN NULL ELSE coalesce(s.started_at, now) END,
        ended_at = CASE WHEN g.status NOT IN ('pending', 'running') THEN coalesce(s.ended_at, now) END
    FROM clock, jsonb_to_recordset($4::jsonb) AS g (
        position smallint, status text, planned integer, plan_cursor integer, settled integer, failed integer,
        waited float8, ran float8, reused integer)
    WHERE s.job_id = $1 AND s.position = g.position
), ended AS (
    UPDATE tasks AS t
    SET status = e.status, lease = NULL, lease_until = NULL, output = e.output, error_code = e.error_code,
        message = e.message,
        not_before = CASE WHEN e.held THEN timestamptz 'infinity'
                          WHEN e.delay > 0 THEN now + make_interval(secs => e.delay) END,
        tries = t.tries + e.tries, lost = t.lost + e.lost, ran = t.ran + e.ran,
        progress = coalesce(e.progress, t.progress),
        queued_at = CASE WHEN e.status = 'queued' THEN now ELSE t.queued_at END,
        ended_at = CASE WHEN e.status IN ('queued', 'waiting') THEN NULL ELSE now END
    FROM clock, jsonb_to_record($5) AS e (
        position smallint, shard integer, status text, output jsonb, error_code text, message text, delay float8,
        held boolean, tries integer, lost integer, ran float8, progress real)
    WHERE t.job_id = $1 AND t.position = e.position AND t.shard = e.shard
), stands AS MATERIALIZED (
    SELECT n.step, greatest(0, (SELECT virtual_time FROM step_queues WHERE step = n.step),
                            (SELECT max(tag) FROM tasks WHERE step = n.step AND status = 'running'),
                            (SELECT max(tag) FROM tasks WHERE step = n.step AND principal = k.principal
                             AND status IN ('queued', 'running', 'waiting'))) AS at
    FROM kept AS k, (SELECT DISTINCT step FROM jsonb_to_recordset($6::jsonb) AS n (step text)) AS n
), fresh AS MATERIALIZED (
    SELECT n.*, s.at, n.lease IS NOT NULL AND coalesce(k.deadline, 'infinity') > now
        AND NOT EXISTS (SELECT FROM tasks AS o WHERE o.step = n.step AND o.step_version = n.version
                        AND o.status = 'queued' AND o.not_before IS NULL AND o.place < s.at + n.place) AS claimed
    FROM clock, kept AS k, jsonb_to_recordset($6) AS n (
        position smallint, shard integer, step text, version integer, tag float8, place float8, input jsonb, lease uuid)
        JOIN stands AS s ON s.step = n.step
), added AS (
    INSERT INTO tasks (job_id, position, shard, step, step_version, principal, not_before, tag, place, input,
                       queued_at, status, attempt, lease, lease_until, worker, claimed_at, ended_at)
    SELECT k.job_id, n.position, n.shard, n.step, n.version, k.principal,
           CASE WHEN k.status = 'paused' AND NOT $9 THEN timestamptz 'infinity' END, n.at + n.tag, n.at + n.place,
           n.input, now,
           CASE WHEN n.claimed THEN 'running' WHEN $9 THEN 'cancelled' ELSE 'queued' END, n.claimed::integer,
           CASE WHEN n.claimed THEN n.lease END,
           CASE WHEN n.claimed THEN now + make_interval(secs => $7::float8) END,
           CASE WHEN n.claimed THEN $8::text END, CASE WHEN n.claimed THEN now END, CASE WHEN $9 THEN now END
    FROM fresh AS n, kept AS k, clock
    RETURNING lease
)
SELECT version, (SELECT lease FROM added WHERE lease IS NOT NULL) AS lease FROM kept;

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
-- Which kinds of open tasks the job has, but for the running one at $2 and $3, if they are not NULL.
SELECT EXISTS (SELECT FROM tasks WHERE job_id = $1 AND status = 'running'
               AND (position, shard) IS DISTINCT FROM ($2::smallint, $3::integer)) AS running,
       EXISTS (SELECT FROM tasks WHERE job_id = $1 AND status = 'queued') AS queued,
       EXISTS (SELECT FROM tasks WHERE job_id = $1 AND status = 'waiting') AS waiting;

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
