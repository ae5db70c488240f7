-- Tasks that ask services for answers and wait for them. Whoever changes what a task waits for has its row in
-- result_waits locked.

-- name: open_result_wait
INSERT INTO result_waits (job_id, position, shard) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: lock_result_wait
SELECT submitted, now() AS submitted_at FROM result_waits
WHERE job_id = $1 AND position = $2 AND shard = $3 FOR NO KEY UPDATE;

-- name: save_result_wait
-- How far the task has come, and when it is to be woken; the number of answers that it waits for.
UPDATE result_waits
SET submitted = $4, wakes_at = $5::integer,
    awaited = (SELECT count(*) FROM awaited_results WHERE job_id = $1 AND position = $2 AND shard = $3)
WHERE job_id = $1 AND position = $2 AND shard = $3;

-- name: is_wait_over
SELECT awaited <= wakes_at AS is_over FROM result_waits
WHERE job_id = $1 AND position = $2 AND shard = $3 FOR NO KEY UPDATE;

-- name: settle_known_answers
-- Take off what is answered although nobody saw it: an answer to somebody else that was written at the same moment.
DELETE FROM awaited_results AS a USING results AS r
WHERE a.job_id = $1 AND a.position = $2 AND a.shard = $3 AND r.image_id = a.image_id AND r.service = a.service
  AND (r.status = 'success' OR r.submitted_at >= a.submitted_at);

-- name: give_up_answers
-- Wait no longer for what was submitted $4 seconds ago.
DELETE FROM awaited_results
WHERE job_id = $1 AND position = $2 AND shard = $3 AND submitted_at <= clock_timestamp() - make_interval(secs => $4);

-- name: find_silent_services
-- The services of which the task has heard nothing for $4 seconds about something that it has sent.
SELECT DISTINCT service FROM awaited_results
WHERE job_id = $1 AND position = $2 AND shard = $3 AND sent_at <= clock_timestamp() - make_interval(secs => $4);

-- name: send_again
-- What has to be published again: what never was, and of the services $5 what was sent $4 seconds ago.
WITH due AS (
    UPDATE awaited_results SET sent_at = clock_timestamp()
    WHERE job_id = $1 AND position = $2 AND shard = $3
      AND (sent_at IS NULL
           OR (service = ANY ($5::text[]) AND sent_at <= clock_timestamp() - make_interval(secs => $4)))
    RETURNING image_id, service, submitted_at
)
SELECT i.image_id, i.image_filename, i.image_path, i.image_url, d.submitted_at,
       array_agg(d.service ORDER BY d.service) AS services
FROM due AS d JOIN images AS i USING (image_id)
GROUP BY i.image_id, d.submitted_at ORDER BY i.image_id;

-- name: note_unsent
UPDATE awaited_results AS a SET sent_at = NULL
FROM unnest($4::bigint[], $5::text[]) AS given (image_id, service)
WHERE a.job_id = $1 AND a.position = $2 AND a.shard = $3
  AND a.image_id = given.image_id AND a.service = given.service;

-- name: find_unanswered
-- The images $1 with those of the services $2 that have not answered.
SELECT i.image_id, i.image_filename, i.image_path, i.image_url, now() AS submitted_at,
       ARRAY (SELECT wanted.service FROM unnest($2::text[]) AS wanted (service)
              WHERE NOT EXISTS (SELECT FROM results AS r WHERE r.image_id = i.image_id AND r.service = wanted.service
                                AND r.status = 'success')
              ORDER BY wanted.service) AS services
FROM images AS i WHERE i.image_id = ANY ($1::bigint[]) ORDER BY i.image_id;

-- name: await_answers
INSERT INTO awaited_results (job_id, position, shard, image_id, service, submitted_at, sent_at)
SELECT $1, $2, $3, image_id, service, now(), now() FROM unnest($4::bigint[], $5::text[]) AS given (image_id, service)
ON CONFLICT DO NOTHING
RETURNING image_id, service;

-- name: count_awaited
-- Answers and images that the task waits for, and the seconds since the first of them was submitted.
SELECT count(*)::integer AS answers, count(DISTINCT image_id)::integer AS images,
       coalesce(extract(epoch FROM clock_timestamp() - min(submitted_at)), 0)::float8 AS seconds
FROM awaited_results WHERE job_id = $1 AND position = $2 AND shard = $3;

-- name: forget_result_wait
WITH held AS (
    SELECT job_id, position, shard FROM result_waits
    WHERE job_id = $1 AND position = $2 AND shard = $3 FOR UPDATE
), pairs AS (
    DELETE FROM awaited_results AS a USING held AS h
    WHERE a.job_id = h.job_id AND a.position = h.position AND a.shard = h.shard
)
DELETE FROM result_waits AS w USING held AS h
WHERE w.job_id = h.job_id AND w.position = h.position AND w.shard = h.shard;

-- name: find_answered_waits
SELECT w.job_id, w.position, w.shard FROM result_waits AS w JOIN tasks AS t USING (job_id, position, shard)
WHERE w.awaited <= w.wakes_at AND t.status = 'waiting' LIMIT 1000;

-- name: forget_left_over_waits
-- Of tasks that ended otherwise; not of one that was claimed just now.
WITH over AS (
    SELECT job_id, position, shard FROM result_waits AS w
    WHERE NOT EXISTS (SELECT FROM tasks AS t
                      WHERE t.job_id = w.job_id AND t.position = w.position AND t.shard = w.shard
                        AND t.status IN ('queued', 'running', 'waiting'))
    LIMIT 1000 FOR UPDATE SKIP LOCKED
), pairs AS (
    DELETE FROM awaited_results AS a USING over AS o
    WHERE a.job_id = o.job_id AND a.position = o.position AND a.shard = o.shard
)
DELETE FROM result_waits AS w USING over AS o
WHERE w.job_id = o.job_id AND w.position = o.position AND w.shard = o.shard;

-- name: note_task_run
-- The images between the first and the last of a group were submitted to the services $1, for who asks what was.
INSERT INTO runs (services, selection, image_group, first_image_id, until_image_id, last_image_id, images, jobs, urgent,
                  finished_at)
VALUES ($1::text[], 'missing', $2, $3::bigint - 1, $4, $4, $5, $6, true, now());

-- name: read_fleet_answers
-- What the services $2 have said of the images $1. An error of before the task began is none of its own.
SELECT r.image_id, r.service, r.data::text AS data, r.status, r.error_code, r.error_message, r.image_sent::text AS image_sent
FROM results AS r
WHERE r.image_id = ANY ($1::bigint[]) AND r.service = ANY ($2::text[])
  AND (r.status = 'success'
       OR r.submitted_at >= (SELECT began_at FROM result_waits WHERE job_id = $3 AND position = $4 AND shard = $5));

-- name: read_fleet_images
SELECT image_id, image_url, width, height FROM images WHERE image_id = ANY ($1::bigint[]);

-- name: list_served_services
-- Of the services $1 those that a worker serves.
SELECT DISTINCT service FROM workers
WHERE service = ANY ($1::text[]) AND stopped_at IS NULL AND heartbeat_at > now() - interval '60 s';
