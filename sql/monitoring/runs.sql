-- What was submitted, and is it complete? A run without finished_at was interrupted or is in progress.
SELECT run_id, CASE WHEN cardinality(services) > 3 THEN cardinality(services) || ' services'
                    ELSE array_to_string(services, ',') END AS services,
       selection, urgent, image_group, images, jobs, started_at, finished_at,
       CASE WHEN finished_at IS NULL
            THEN ROUND(100.0 * (last_image_id - first_image_id) / NULLIF(until_image_id - first_image_id, 0), 1)
            ELSE 100 END AS percent
FROM runs ORDER BY run_id DESC LIMIT 20;
