-- Actions on many jobs.

-- name: find_named_jobs
-- The jobs with these ids that the principal $2 sees; NULL is any.
SELECT job_id, public_id FROM jobs
WHERE public_id = ANY ($1::uuid[]) AND ($2::text IS NULL OR principal = $2) ORDER BY job_id;

-- name: find_jobs_by_keys
SELECT job_id, public_id FROM jobs WHERE job_id = ANY ($1::bigint[]) ORDER BY job_id;

-- name: insert_bulk
-- No row if the same request was made before.
INSERT INTO bulk_actions (principal, sees, key_prefix, request_id, request, job_ids, matched, last_job_id,
                          idempotency_key, request_digest)
VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, $8, $9, $10)
ON CONFLICT (principal, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING RETURNING bulk_id;

-- name: find_bulk_by_key
SELECT bulk_id AS id, request_digest FROM bulk_actions WHERE principal = $1 AND idempotency_key = $2;

-- name: show_bulk
-- Of the principal $2; NULL is any.
SELECT *, coalesce(undo_until > clock_timestamp(), false) AS may_be_undone FROM bulk_actions
WHERE bulk_id = $1 AND ($2::text IS NULL OR principal = $2);

-- name: lock_bulk
SELECT *, coalesce(undo_until > clock_timestamp(), false) AS may_be_undone FROM bulk_actions
WHERE bulk_id = $1 AND ($2::text IS NULL OR principal = $2) FOR NO KEY UPDATE;

-- name: count_bulk_items
SELECT outcome, count(*)::integer AS jobs FROM bulk_items WHERE bulk_id = $1 GROUP BY outcome;

-- name: tell_bulk_refusals
SELECT public_id, error_code, message FROM bulk_items
WHERE bulk_id = $1 AND error_code IS NOT NULL ORDER BY job_id LIMIT 20;

-- name: lease_bulk
-- The oldest that nobody works on.
UPDATE bulk_actions AS b SET lease = $1, lease_until = clock_timestamp() + make_interval(secs => $2)
WHERE b.bulk_id = (
    SELECT f.bulk_id FROM bulk_actions AS f
    WHERE f.status IN ('running', 'undoing') AND (f.lease_until IS NULL OR f.lease_until < statement_timestamp())
    ORDER BY f.created_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
RETURNING b.*;

-- name: hold_bulk
-- Renew the lease $2; no row if it was lost.
UPDATE bulk_actions SET lease_until = clock_timestamp() + make_interval(secs => $3)
WHERE bulk_id = $1 AND lease = $2 RETURNING bulk_id;

-- name: end_bulk
-- It can be undone for $4 seconds.
UPDATE bulk_actions
SET status = $3, ended_at = clock_timestamp(), lease = NULL, lease_until = NULL,
    undo_until = CASE WHEN $4::float8 IS NOT NULL THEN clock_timestamp() + make_interval(secs => $4) END
WHERE bulk_id = $1 AND lease = $2 RETURNING bulk_id;

-- name: begin_bulk_undo
UPDATE bulk_actions SET status = 'undoing', ended_at = NULL, undo_until = NULL WHERE bulk_id = $1;

-- name: find_bulk_items
SELECT job_id FROM bulk_items WHERE bulk_id = $1 AND job_id = ANY ($2::bigint[]);

-- name: note_bulk_item
INSERT INTO bulk_items (bulk_id, job_id, public_id, outcome, before, error_code, message)
VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7) ON CONFLICT DO NOTHING;

-- name: next_bulk_items
-- What was done and is not undone yet.
SELECT job_id, public_id, before FROM bulk_items WHERE bulk_id = $1 AND outcome = 'done' ORDER BY job_id LIMIT $2;

-- name: change_bulk_item
UPDATE bulk_items SET outcome = $3, error_code = $4, message = $5 WHERE bulk_id = $1 AND job_id = $2;
