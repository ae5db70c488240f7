-- Batches: of jobs, or of images at services.

-- name: insert_batch
-- No row if the same request was made before.
INSERT INTO batches (principal, sees, key_prefix, request_id, name, items, services, selection, idempotency_key,
                     request_digest)
VALUES ($1, $2, $3, $4, $5, $6, $7::text[], $8, $9, $10)
ON CONFLICT (principal, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
RETURNING batch_id;

-- name: find_batch_by_key
SELECT batch_id AS id, request_digest FROM batches WHERE principal = $1 AND idempotency_key = $2;

-- name: insert_batch_items
INSERT INTO batch_items (batch_id, number, custom_id, request, image_id)
SELECT $1, place, custom_id, request::jsonb, image_id
FROM unnest($2::text[], $3::text[], $4::bigint[]) WITH ORDINALITY AS given (custom_id, request, image_id, place);

-- name: show_batch
-- Of the principal $2; NULL is any.
SELECT * FROM batches WHERE batch_id = $1 AND ($2::text IS NULL OR principal = $2);

-- name: batches_without_end
-- The oldest $2 that leave the servers nothing to do and have not ended, but for those with the ids $1.
SELECT batch_id FROM batches WHERE ended_at IS NULL AND NOT unfinished AND batch_id <> ALL ($1::uuid[])
ORDER BY created_at LIMIT $2;

-- name: end_batch_for_readers
-- Told once, whoever sees it first, with what became of its items.
WITH ended AS (
    UPDATE batches SET ended_at = clock_timestamp() WHERE batch_id = $1 AND ended_at IS NULL
    RETURNING batch_id, principal, cancelled_at, name, items
)
INSERT INTO ends (principal, kind, batch_id, data)
SELECT principal, CASE WHEN cancelled_at IS NULL THEN 'batch.completed' ELSE 'batch.cancelled' END, batch_id,
       jsonb_build_object('name', name, 'items', items, 'failed', $2::integer, 'rejected', $3::integer)
FROM ended;

-- name: page_of_batches
-- The next $3 of the principal $1 before the time $2 and the id $4, the newest first; NULL is any.
SELECT * FROM batches
WHERE ($1::text IS NULL OR principal = $1) AND ($2::timestamptz IS NULL OR (created_at, batch_id) < ($2, $4::uuid))
ORDER BY created_at DESC, batch_id DESC LIMIT $3;

-- name: count_batch_items
-- By the state of their jobs; `pending` has none yet, `rejected` never got one, and the job of `removed` was deleted.
SELECT CASE WHEN i.error_code = 'CANCELLED' THEN 'cancelled' WHEN i.error_code IS NOT NULL THEN 'rejected'
            WHEN i.job_id IS NULL THEN 'pending' ELSE coalesce(j.status, 'removed') END AS status,
       count(*)::integer AS items
FROM batch_items AS i LEFT JOIN jobs AS j ON j.job_id = i.job_id WHERE i.batch_id = $1 GROUP BY 1;

-- name: count_batch_images
-- The same of a batch of images.
SELECT status, count(*)::integer AS items FROM batch_images($1, 0, 2147483647) GROUP BY 1;

-- name: page_of_batch_images
-- The next $3 after the number $2.
SELECT number, image_id, status, answered, asked, answered_at FROM batch_images($1, $2, $3) ORDER BY number;

-- name: find_missing_images
-- Those of the images $1 that are not there, at most ten.
SELECT given.image_id FROM unnest($1::bigint[]) AS given (image_id)
WHERE NOT EXISTS (SELECT FROM images AS i WHERE i.image_id = given.image_id) LIMIT 10;

-- name: next_batch_images
-- The next $2 that are in no queue yet, each with the image that is asked for: a copy's is its original.
SELECT b.number, coalesce(i.original_id, i.image_id) AS image_id, clock_timestamp() AS now
FROM batch_items AS b LEFT JOIN images AS i ON i.image_id = b.image_id
WHERE b.batch_id = $1 AND b.job_id IS NULL AND b.error_code IS NULL AND b.submitted_at IS NULL
ORDER BY b.number LIMIT $2;

-- name: note_submitted_images
UPDATE batch_items SET submitted_at = $3
WHERE batch_id = $1 AND number = ANY ($2::integer[]) AND error_code IS NULL;

-- name: page_of_batch_items
-- The next $3 after the number $2.
SELECT i.number, i.custom_id, i.public_id,
       CASE WHEN i.error_code = 'CANCELLED' THEN 'cancelled' WHEN i.error_code IS NOT NULL THEN 'rejected'
            WHEN i.job_id IS NULL THEN 'pending' ELSE coalesce(j.status, 'removed') END AS status,
       coalesce(i.error_code, j.error_code) AS error_code, coalesce(i.message, j.message) AS message, j.progress,
       j.ended_at
FROM batch_items AS i LEFT JOIN jobs AS j ON j.job_id = i.job_id
WHERE i.batch_id = $1 AND i.number > $2 ORDER BY i.number LIMIT $3;

-- name: lease_batch
-- The oldest that nobody works on.
UPDATE batches AS b SET lease = $1, lease_until = clock_timestamp() + make_interval(secs => $2)
WHERE b.batch_id = (
    SELECT f.batch_id FROM batches AS f
    WHERE f.unfinished AND (f.lease_until IS NULL OR f.lease_until < statement_timestamp())
    ORDER BY f.created_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
RETURNING b.*;

-- name: hold_batch
-- Renew the lease $2, and whether it was cancelled meanwhile; no row if the lease was lost.
UPDATE batches SET lease_until = clock_timestamp() + make_interval(secs => $3)
WHERE batch_id = $1 AND lease = $2 RETURNING cancelled_at IS NOT NULL;

-- name: end_batch
-- Unless it was cancelled since ($3: it was known to be).
UPDATE batches SET unfinished = (cancelled_at IS NOT NULL) IS DISTINCT FROM $3, lease = NULL, lease_until = NULL
WHERE batch_id = $1 AND lease = $2;

-- name: cancel_batch
UPDATE batches SET cancelled_at = coalesce(cancelled_at, clock_timestamp()), unfinished = true WHERE batch_id = $1;

-- name: next_batch_items
-- Those that have no job yet.
SELECT number, request FROM batch_items
WHERE batch_id = $1 AND job_id IS NULL AND error_code IS NULL AND submitted_at IS NULL ORDER BY number LIMIT $2;

-- name: give_item_its_job
-- No row if it has one, or was cancelled.
UPDATE batch_items SET job_id = $3, public_id = $4
WHERE batch_id = $1 AND number = $2 AND job_id IS NULL AND error_code IS NULL RETURNING number;

-- name: refuse_item
UPDATE batch_items SET error_code = $3, message = $4
WHERE batch_id = $1 AND number = $2 AND job_id IS NULL AND error_code IS NULL;

-- name: cancel_open_items
UPDATE batch_items SET error_code = 'CANCELLED', message = 'the batch was cancelled'
WHERE batch_id = $1 AND job_id IS NULL AND error_code IS NULL AND submitted_at IS NULL;

-- name: open_jobs_of_batch
-- The jobs of a batch in the states $2, after the job $3.
SELECT i.job_id FROM batch_items AS i JOIN jobs AS j ON j.job_id = i.job_id
WHERE i.batch_id = $1 AND j.status = ANY ($2) AND i.job_id > $3 ORDER BY i.job_id LIMIT $4;
