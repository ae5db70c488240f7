-- A job for those who look at it.

-- name: show_job_span
SELECT created_at, ended_at FROM jobs WHERE job_id = $1;

-- name: list_timeline_tasks
-- Of each step of the job $1 at most $3 tasks, among the first $2 of the job: those first that failed, run, or ran more
-- than once.
SELECT position, shard, status, queued_at, claimed_at, ended_at, waited, ran, attempt, worker, progress, error_code
FROM (SELECT t.*, row_number() OVER (PARTITION BY position
                                     ORDER BY status = 'failed' DESC, status = 'running' DESC, attempt > 1 DESC, shard)
             AS number
      FROM (SELECT * FROM tasks WHERE job_id = $1 ORDER BY position, shard LIMIT $2) AS t) AS numbered
WHERE number <= $3 ORDER BY position, shard;

-- name: list_failed_tries
-- Among the last $2 events of the job $1 those that tell of a task that was queued again.
SELECT position, shard, at, coalesce((data ->> 'ran')::float8, 0) AS ran
FROM job_events
WHERE job_id = $1 AND kind = 'task_requeued' AND position IS NOT NULL AND shard IS NOT NULL
  AND seq > (SELECT last_event FROM jobs WHERE job_id = $1) - $2::bigint
ORDER BY seq;

-- name: read_job_log
-- The newest $5 events of the job $1 before the number $4, of the levels $2 and of the step $3; NULL is any.
SELECT e.seq, e.at, e.level, e.kind, e.shard, e.data::text AS data, coalesce(s.parameters ->> 'name', s.step) AS step
FROM job_events AS e LEFT JOIN steps AS s ON s.job_id = e.job_id AND s.position = e.position
WHERE e.job_id = $1 AND ($2::text[] IS NULL OR e.level = ANY ($2)) AND ($3::smallint IS NULL OR e.position = $3)
  AND e.seq < $4
ORDER BY e.seq DESC LIMIT $5;

-- name: find_related_jobs
-- Forks of the job $1, jobs that have made files it was given, and jobs that were given files it has made; at most $3 of
-- each, of the principal $2 or of all.
(SELECT 'fork' AS relation, public_id, preset, status, NULL::text AS file FROM jobs
 WHERE forked_from = $1 AND ($2::text IS NULL OR principal = $2) ORDER BY job_id LIMIT $3)
UNION ALL
(SELECT DISTINCT 'source', j.public_id, j.preset, j.status, given.name
 FROM artifacts AS given
 JOIN artifacts AS made ON made.sha256 = given.sha256 AND made.position >= 0 AND made.job_id <> $1
 JOIN jobs AS j ON j.job_id = made.job_id
 WHERE given.job_id = $1 AND given.position < 0 AND ($2::text IS NULL OR j.principal = $2) LIMIT $3)
UNION ALL
(SELECT DISTINCT 'user', j.public_id, j.preset, j.status, made.name
 FROM artifacts AS made
 JOIN artifacts AS given ON given.sha256 = made.sha256 AND given.position < 0 AND given.job_id <> $1
 JOIN jobs AS j ON j.job_id = given.job_id
 WHERE made.job_id = $1 AND made.position >= 0 AND ($2::text IS NULL OR j.principal = $2) LIMIT $3);

-- name: count_listed_jobs
-- How many jobs after the id $5 are in the states $1, of the preset $2, with the error $3, of the principal $4; counted
-- up to $6. NULL is any.
SELECT count(*)::integer FROM (
    SELECT FROM jobs
    WHERE ($1::text[] IS NULL OR status = ANY ($1)) AND ($2::text IS NULL OR preset = $2)
      AND ($3::text IS NULL OR error_code = $3) AND ($4::text IS NULL OR principal = $4) AND job_id > $5
    LIMIT $6) AS found;

-- name: count_jobs_in_states
-- The same in the states $1 and of everybody, in the order of the index of states, as in page_of_jobs_in_states.
SELECT count(*)::integer FROM (
    SELECT FROM unnest($1::text[]) AS wanted (status) CROSS JOIN LATERAL (
        SELECT FROM jobs AS j
        WHERE (j.status, j.job_id) > (wanted.status, $4::bigint)
          AND (j.status, j.job_id) <= (wanted.status, 9223372036854775807)
          AND ($2::text IS NULL OR j.preset = $2) AND ($3::text IS NULL OR j.error_code = $3)
        ORDER BY j.status, j.job_id LIMIT $5
    ) AS found
    LIMIT $5) AS counted;
