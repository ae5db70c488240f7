-- How many boxes were sent to services, with what outcome and error code?
SELECT service, status, error_code, final, COUNT(*) AS boxes, ROUND(AVG(processing_time)::numeric, 3) AS seconds
FROM postprocessing GROUP BY service, status, error_code, final ORDER BY service, status, error_code;
