-- What the database knows about parked jobs.

-- name: results_of_image
SELECT service, status, error_code, error_message, worker_id, attempt, trace_id, submitted_at, result_created
FROM results WHERE image_id = $1 ORDER BY service;
