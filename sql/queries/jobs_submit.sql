-- Jobs come into being, and their steps are planned.

-- name: insert_job
-- The job with its steps, whose columns are $15 to $21. No row if a job with one of its keys is there.
WITH job AS (
    INSERT INTO jobs (kind, preset, preset_version, inputs, parameters, status, priority, principal, idempotency_key,
                      dedupe_key, forked_from, deadline, failure_budget, request_digest, webhook_id)
    VALUES ($1, $2, $3, $4, $5, 'queued', $6, $7, $8, $9, $10, $11, $12, $13, $14)
    ON CONFLICT DO NOTHING
    RETURNING *
), own_steps AS (
    INSERT INTO steps (job_id, position, step, version, streams, parameters, weight, cost, skip_reason, status,
                       plan_cursor)
    SELECT j.job_id, g.place - 1, g.step, g.version, g.streams, g.parameters::jsonb, g.weight, g.cost, g.skip_reason,
           CASE WHEN g.skip_reason IS NULL THEN 'pending' ELSE 'skipped' END,
           CASE WHEN g.skip_reason IS NULL THEN 0 END
    FROM job AS j, unnest($15::text[], $16::integer[], $17::boolean[], $18::text[], $19::real[], $20::real[],
                          $21::text[])
         WITH ORDINALITY AS g (step, version, streams, parameters, weight, cost, skip_reason, place)
    RETURNING *
)
SELECT j.*, (SELECT jsonb_agg(to_jsonb(s) || '{"running": 0}' ORDER BY s.position) FROM own_steps AS s) AS steps
FROM job AS j;

-- name: find_job_by_keys
-- The job of the principal $1 with this idempotency key $2, or else with this kind $3 and dedupe key $4.
SELECT job_id, public_id, status, request_digest, idempotency_key IS NOT DISTINCT FROM $2 AND $2::text IS NOT NULL AS same_request
FROM jobs WHERE principal = $1 AND (idempotency_key = $2 OR (kind = $3 AND dedupe_key = $4))
ORDER BY same_request DESC LIMIT 1;

-- name: insert_consents
INSERT INTO job_consents (job_id, text, reason, given_by, given_at)
SELECT $1, text, reason, given_by, coalesce(given_at, clock_timestamp())
FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[]) AS given (text, reason, given_by, given_at)
ON CONFLICT DO NOTHING;

-- name: copy_consents
-- Those of the job $1 hold for the job $2, too.
INSERT INTO job_consents (job_id, text, reason, given_by, given_at)
SELECT $2, text, reason, given_by, given_at FROM job_consents WHERE job_id = $1 ON CONFLICT DO NOTHING;

-- name: read_job_order
-- What a job of a preset was asked for, and whether somebody confirmed anything for it; of the principal $2, NULL is
-- any.
SELECT job_id, public_id, status, preset, inputs, parameters,
       EXISTS (SELECT FROM job_consents AS c WHERE c.job_id = jobs.job_id) AS confirmed
FROM jobs WHERE public_id = $1 AND ($2::text IS NULL OR principal = $2);

-- name: list_given_files
-- The files that the job $1 was submitted with.
SELECT name, media_type, bytes AS size, sha256, key FROM artifacts WHERE job_id = $1 AND position = -1 ORDER BY name;

-- name: list_failed_engines
-- The engines of the steps of a job whose tasks ended with an error, with the error.
SELECT DISTINCT t.error_code, s.parameters -> 'engines' AS engines
FROM tasks AS t JOIN steps AS s ON s.job_id = t.job_id AND s.position = t.position
WHERE t.job_id = $1 AND t.status IN ('failed', 'cancelled') AND t.error_code IS NOT NULL AND s.parameters ? 'engines';

-- name: read_fair_queue
-- The virtual time of the step $1, and the last tag of the principal $2 among its open tasks in other jobs than $3.
SELECT greatest(coalesce((SELECT virtual_time FROM step_queues WHERE step = $1), 0),
                coalesce((SELECT max(tag) FROM tasks WHERE step = $1 AND status = 'running'), 0)) AS virtual_time,
       (SELECT max(tag) FROM tasks
        WHERE step = $1 AND principal = $2 AND status IN ('queued', 'running', 'waiting')
          AND job_id IS DISTINCT FROM $3) AS last_tag;

-- name: read_step_outputs
-- What the shards of a step have made.
SELECT shard, output FROM tasks WHERE job_id = $1 AND position = $2 AND status = 'succeeded' ORDER BY shard;

-- name: read_unplanned_outputs
-- What those shards of the step $2 have made that have no task in the step $3, which streams from it.
SELECT shard, output FROM tasks AS t
WHERE job_id = $1 AND position = $2 AND status = 'succeeded'
  AND NOT EXISTS (SELECT FROM tasks AS n WHERE n.job_id = $1 AND n.position = $3 AND n.shard = t.shard)
ORDER BY shard;

-- name: find_unplanned_jobs
-- Jobs of which nobody has finished to plan a step, of the steps and versions $1 and $2. One that streams is planned as
-- the step before goes on, and has something left only if a process without its code ended a task there.
SELECT DISTINCT s.job_id FROM steps AS s JOIN unnest($1::text[], $2::integer[]) AS known (step, version)
    ON s.step = known.step AND s.version = known.version
WHERE s.status = 'running' AND s.plan_cursor IS NOT NULL
  AND (NOT s.streams OR EXISTS (SELECT FROM steps AS u WHERE u.job_id = s.job_id AND u.position = s.position - 1
                                AND u.status IN ('succeeded', 'skipped')))
LIMIT 100;

