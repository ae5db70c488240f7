-- Which images failed at most services, and why? One row per image, however many services found the same fault.
SELECT r.image_id, i.image_filename, COUNT(*) AS services, array_agg(DISTINCT r.error_code) AS codes,
       MAX(r.result_created) AS latest, (ARRAY_AGG(r.error_message ORDER BY r.result_created DESC))[1] AS for_example
FROM results AS r LEFT JOIN images AS i ON i.image_id = r.image_id
WHERE r.status = 'error'
GROUP BY r.image_id, i.image_filename ORDER BY services DESC, latest DESC LIMIT 50;
