-- Writing results. Arrays instead of a list of VALUES: one statement text and one plan for every batch size.

-- name: save_results
-- A success replaces an error, and never the reverse: an answer that is paid for stays when a later try fails. Of two
-- of a kind the newer submission wins. So what is kept does not depend on the order in which rows arrive.
-- A replaced row gets a new result_id, by which all that derives from it is seen to be stale.
-- Rows are written in key order, so that two batches never wait for each other; a key that stands twice is taken once.
INSERT INTO results AS kept (image_id, service, data, status, error_code, error_message, processing_time,
                             worker_id, attempt, trace_id, submitted_at)
SELECT DISTINCT ON (image_id, service)
       image_id, service, data::json, CASE WHEN error_code IS NULL THEN 'success' ELSE 'error' END,
       error_code, error_message, processing_time, worker_id, attempt, trace_id, submitted_at
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::real[],
            $7::text[], $8::integer[], $9::text[], $10::timestamptz[])
     AS new (image_id, service, data, error_code, error_message, processing_time,
             worker_id, attempt, trace_id, submitted_at)
ORDER BY image_id, service, error_code IS NULL DESC, submitted_at DESC
ON CONFLICT (image_id, service) DO UPDATE SET
    result_id = nextval('result_ids'), data = excluded.data, status = excluded.status,
    error_code = excluded.error_code, error_message = excluded.error_message,
    processing_time = excluded.processing_time, worker_id = excluded.worker_id, attempt = excluded.attempt,
    trace_id = excluded.trace_id, submitted_at = excluded.submitted_at, result_created = clock_timestamp()
WHERE (excluded.status = 'success', excluded.submitted_at) > (kept.status = 'success', kept.submitted_at);

-- name: tables_are_there
-- Fails when the migrations were not applied.
SELECT 1 FROM results LIMIT 0;
