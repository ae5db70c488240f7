-- How much work waits for post-processing, and for how long has the oldest been due?
SELECT stage, COUNT(*) AS marks, COUNT(DISTINCT image_id) AS images,
       date_trunc('second', now() - MIN(due) FILTER (WHERE due <= now())) AS overdue
FROM stale GROUP BY stage ORDER BY stage;
