-- Jobs that have ended are deleted: their files first, then their rows, and the row of the job last.

-- name: forget_job_keys
-- The same request may be made again, and leads to a new job.
UPDATE jobs SET idempotency_key = NULL, dedupe_key = NULL WHERE job_id = $1;

-- name: list_artifacts_to_delete
-- At most $2 keys of files of a job, and whether neither another job nor anybody who sent one has the same bytes.
SELECT a.key, NOT EXISTS (SELECT FROM artifacts AS o WHERE o.sha256 = a.sha256 AND o.key = a.key AND o.job_id <> $1)
                  AND NOT EXISTS (SELECT FROM assets AS s WHERE s.key = a.key)
                  AND NOT EXISTS (SELECT FROM session_chunks AS c WHERE c.key = a.key COLLATE "C") AS sole
FROM (SELECT DISTINCT key, sha256 FROM artifacts WHERE job_id = $1 ORDER BY key LIMIT $2) AS a
ORDER BY a.key;

-- name: delete_job_artifacts
DELETE FROM artifacts WHERE job_id = $1 AND key = ANY ($2::text[]);

-- name: delete_some_tasks
-- At most $2 tasks of a job; their number.
WITH found AS (SELECT position, shard FROM tasks WHERE job_id = $1 LIMIT $2),
     gone AS (DELETE FROM tasks AS t USING found AS s
              WHERE t.job_id = $1 AND t.position = s.position AND t.shard = s.shard RETURNING 1)
SELECT count(*)::integer FROM gone;

-- name: delete_some_events
-- At most $2 events of a job; their number.
WITH found AS (SELECT seq FROM job_events WHERE job_id = $1 LIMIT $2),
     gone AS (DELETE FROM job_events AS e USING found AS s WHERE e.job_id = $1 AND e.seq = s.seq RETURNING 1)
SELECT count(*)::integer FROM gone;

-- name: delete_job
-- What its tasks took stays counted against quotas of seconds.
WITH spent AS (
    SELECT j.principal, j.created_at, sum(s.ran) AS seconds FROM jobs AS j JOIN steps AS s ON s.job_id = j.job_id
    WHERE j.job_id = $1 AND j.status = 'deleting' GROUP BY j.job_id
), counted AS (
    UPDATE api_keys AS k SET deleted_seconds = k.deleted_seconds + spent.seconds
    FROM spent WHERE k.principal = spent.principal AND k.quota_seconds IS NOT NULL AND spent.seconds > 0
                 AND spent.created_at >= k.quota_since
), steps_gone AS (DELETE FROM steps WHERE job_id = $1),
     consents_gone AS (DELETE FROM job_consents WHERE job_id = $1)
DELETE FROM jobs WHERE job_id = $1 AND status = 'deleting';
