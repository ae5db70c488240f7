-- Writing results. Uses arrays instead of VALUES, so that all batch sizes share one statement text and one plan.

-- name: save_results
-- Idempotent. A success replaces an error, never the reverse: an answer was paid for and stays when a later attempt
-- fails. Between two successes or two errors the newer submission wins. So the order of arrival does not matter.
-- A submission from the future, by the clock of the database, counts as one of the next minute: no later one could
-- replace it otherwise.
-- A replaced row gets a new result_id, which shows that rows derived from it are stale.
-- Rows are written in key order, so that two batches cannot deadlock; of duplicate keys only one row is written.
INSERT INTO results AS kept (image_id, service, data, status, error_code, error_message, processing_time,
                             worker_id, attempt, trace_id, submitted_at, image_sent, image_fingerprint)
SELECT DISTINCT ON (image_id, service)
       image_id, service, data::json, CASE WHEN error_code IS NULL THEN 'success' ELSE 'error' END,
       error_code, error_message, processing_time, worker_id, attempt, trace_id,
       least(submitted_at, now() + interval '1 minute'), image_sent::jsonb, image_fingerprint
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::real[],
            $7::text[], $8::integer[], $9::text[], $10::timestamptz[], $11::text[], $12::bigint[])
     AS new (image_id, service, data, error_code, error_message, processing_time,
             worker_id, attempt, trace_id, submitted_at, image_sent, image_fingerprint)
ORDER BY image_id, service, error_code IS NULL DESC, submitted_at DESC
ON CONFLICT (image_id, service) DO UPDATE SET
    result_id = nextval('result_ids'), data = excluded.data, status = excluded.status,
    error_code = excluded.error_code, error_message = excluded.error_message,
    processing_time = excluded.processing_time, worker_id = excluded.worker_id, attempt = excluded.attempt,
    trace_id = excluded.trace_id, submitted_at = excluded.submitted_at,
    image_sent = excluded.image_sent, image_fingerprint = excluded.image_fingerprint, result_created = clock_timestamp()
WHERE (excluded.status = 'success', excluded.submitted_at) > (kept.status = 'success', kept.submitted_at);

-- name: tables_are_there
-- Fails if the migrations were not applied.
SELECT 1 FROM results LIMIT 0;
