-- How fast is it now? Results per minute over the last ten minutes.
SELECT service, COUNT(*) AS results, ROUND(COUNT(*) / 10.0, 1) AS per_minute
FROM results WHERE result_created > now() - interval '10 minutes'
GROUP BY service ORDER BY service;
