-- Which images lack answers from services that answered others? Reads all of results, so do not run it every minute.
SELECT i.image_id, i.image_filename, COUNT(r.service) AS services
FROM images AS i LEFT JOIN results AS r ON r.image_id = i.image_id
WHERE i.original_id IS NULL -- copies have the answers of their originals
GROUP BY i.image_id, i.image_filename
HAVING COUNT(r.service) < (SELECT COUNT(DISTINCT service) FROM results)
ORDER BY i.image_id LIMIT 20;
