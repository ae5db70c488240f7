-- Runs that were asked for over HTTP, and what became of runs.

-- name: ask_run
-- No row if the same request was made before. One without any image to submit is finished as it is made.
INSERT INTO runs (services, selection, image_group, first_image_id, until_image_id, last_image_id, urgent, principal,
                  idempotency_key, request_digest, finished_at)
VALUES ($1::text[], $2, $3, $4, greatest($4::bigint, $5::bigint), $4, $6, $7, $8, $9,
        CASE WHEN $4::bigint >= $5::bigint THEN now() END)
ON CONFLICT (principal, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
RETURNING run_id;

-- name: find_asked_run
SELECT run_id, request_digest FROM runs WHERE principal = $1 AND idempotency_key = $2;

-- name: next_asked_run
-- The oldest run that is to be published, ordinary or urgent. Of a run of one image the gateway that was asked sends the
-- jobs at once; it is left to it for some seconds.
SELECT run_id, services, selection, image_group, urgent, until_image_id, last_image_id, images, jobs
FROM runs
WHERE principal IS NOT NULL AND finished_at IS NULL AND urgent = $1
  AND (until_image_id - first_image_id > 1 OR started_at < clock_timestamp() - interval '5 seconds')
ORDER BY run_id LIMIT 1;

-- name: is_run_cancelled
SELECT cancelled_at IS NOT NULL FROM runs WHERE run_id = $1;

-- name: lock_run
SELECT run_id, finished_at IS NOT NULL AS finished, cancelled_at IS NOT NULL AS cancelled
FROM runs WHERE run_id = $1 AND ($2::text IS NULL OR principal = $2) FOR NO KEY UPDATE;

-- name: cancel_run
-- What was not published yet counts as never submitted.
UPDATE runs SET cancelled_at = now(), finished_at = now(), updated_at = now(), until_image_id = last_image_id
WHERE run_id = $1;

-- name: runs_without_end
-- The oldest $2 that were published whole and have not ended, but for those with the ids $1.
SELECT images, jobs, run_id, services, selection, image_group, urgent, principal, first_image_id, until_image_id,
       last_image_id, started_at, updated_at, finished_at, cancelled_at, ended_at
FROM runs
WHERE principal IS NOT NULL AND ended_at IS NULL AND finished_at IS NOT NULL AND run_id <> ALL ($1::bigint[])
ORDER BY run_id LIMIT $2;

-- name: end_run
-- Told once, whoever sees it first; $2 of its answers are failures.
WITH ended AS (
    UPDATE runs SET ended_at = clock_timestamp() WHERE run_id = $1 AND principal IS NOT NULL AND ended_at IS NULL
    RETURNING run_id, principal, cancelled_at, services, image_group, images, jobs
)
INSERT INTO ends (principal, kind, run_id, data)
SELECT principal, CASE WHEN cancelled_at IS NULL THEN 'run.succeeded' ELSE 'run.cancelled' END, run_id,
       jsonb_build_object('services', services, 'group', image_group, 'images', images, 'jobs', jobs,
                          'failed', $2::integer)
FROM ended;

-- name: show_run
SELECT images, jobs, run_id, services, selection, image_group, urgent, principal, first_image_id, until_image_id,
       last_image_id, started_at, updated_at, finished_at, cancelled_at, ended_at
FROM runs WHERE run_id = $1 AND ($2::text IS NULL OR principal = $2);

-- name: page_of_runs
-- The newest $3 runs before $2, of the principal $1 or of all.
SELECT images, jobs, run_id, services, selection, image_group, urgent, principal, first_image_id, until_image_id,
       last_image_id, started_at, updated_at, finished_at, cancelled_at, ended_at
FROM runs WHERE ($1::text IS NULL OR principal = $1) AND run_id < $2 ORDER BY run_id DESC LIMIT $3;

-- name: count_run_answers
-- What has come since $4 of the services $3 for the images above $1 up to $2, of the group $5 or of all: at most $6
-- answers are counted.
SELECT service, count(*)::integer AS answered, count(error_code)::integer AS failed
FROM (
    SELECT r.service, r.error_code FROM results AS r
    WHERE $5::text IS NULL AND r.image_id > $1 AND r.image_id <= $2 AND r.service = ANY ($3::text[])
      AND r.submitted_at >= $4
    UNION ALL
    SELECT r.service, r.error_code FROM image_groups AS g JOIN results AS r USING (image_id)
    WHERE g.image_group = $5 AND g.image_id > $1 AND g.image_id <= $2 AND r.service = ANY ($3::text[])
      AND r.submitted_at >= $4
    LIMIT $6
) AS found
GROUP BY service ORDER BY service;

-- name: read_answers
-- What the services $2 have said of the images $1; a copy has the answers of its original. An image without any has one
-- row without a service.
SELECT i.image_id, i.image_filename, i.original_id, r.service, r.data::text AS data, r.error_code, r.error_message,
       r.attempt, r.processing_time::float8 AS seconds, r.submitted_at, r.result_created
FROM images AS i LEFT JOIN results AS r
    ON r.image_id = coalesce(i.original_id, i.image_id) AND ($2::text[] IS NULL OR r.service = ANY ($2::text[]))
WHERE i.image_id = ANY ($1::bigint[])
ORDER BY i.image_id, r.service;
