-- Numbers for `python -m windmill status`.

-- name: count_images
SELECT count(*) FROM images;

-- name: count_results_by_service
SELECT service,
       count(*) FILTER (WHERE status = 'success') AS done,
       count(*) FILTER (WHERE status = 'error') AS failed,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY processing_time) FILTER (WHERE status = 'success') AS p50
FROM results GROUP BY service ORDER BY service;

-- name: count_failures_by_code
SELECT service, error_code, count(*) AS failed FROM results WHERE status = 'error'
GROUP BY service, error_code ORDER BY service, failed DESC;

-- name: count_outcomes
SELECT count(*) AS settled, count(*) FILTER (WHERE status = 'success') AS done FROM results;
