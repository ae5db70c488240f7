-- Which workers stored results in the last ten minutes, and how many?
SELECT worker_id, COUNT(*) AS results, COUNT(*) FILTER (WHERE status = 'error') AS failed,
       COUNT(DISTINCT service) AS services, MAX(result_created) AS latest
FROM results WHERE result_created > now() - interval '10 minutes'
GROUP BY worker_id ORDER BY results DESC;
