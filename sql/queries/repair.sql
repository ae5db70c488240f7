-- Jobs that were submitted and have come to nothing.

-- name: submitted_range
-- The image ids that the runs walked in which one of the services $1 was asked; $2 is one run or NULL for all of them.
-- A run of the selection 'failed' is none of them: it passes by what was never submitted.
SELECT coalesce(min(first_image_id), 0) AS first_image_id, coalesce(max(last_image_id), 0) AS last_image_id
FROM runs
WHERE selection <> 'failed' AND services && $1::text[] AND ($2::bigint IS NULL OR run_id = $2);

-- name: run_exists
SELECT EXISTS (SELECT FROM runs WHERE run_id = $1);

-- name: unanswered_jobs_for_images
-- Of the images $1 in the order of their ids, those which the runs ($3, or all for NULL) submitted to some of the
-- services $2 without any answer until now, each with these services.
WITH submitted AS MATERIALIZED (
    SELECT service, image_group, range_agg(int8range(first_image_id, last_image_id, '(]')) AS ids
    FROM runs, unnest(services) AS service
    WHERE selection <> 'failed' AND service = ANY ($2::text[]) AND first_image_id < last_image_id
      AND ($3::bigint IS NULL OR run_id = $3)
    GROUP BY service, image_group
)
SELECT i.image_id, i.image_filename, i.image_path, i.image_url, array_agg(wanted.service ORDER BY wanted.place) AS services
FROM images AS i
CROSS JOIN unnest($2::text[]) WITH ORDINALITY AS wanted (service, place)
WHERE i.image_id = ANY ($1::bigint[])
  AND EXISTS (
      SELECT FROM submitted AS s
      WHERE s.service = wanted.service AND i.image_id <@ s.ids
        AND (s.image_group IS NULL OR s.image_group = i.image_group)
  )
  AND NOT EXISTS (SELECT FROM results AS r WHERE r.image_id = i.image_id AND r.service = wanted.service)
GROUP BY i.image_id
ORDER BY i.image_id;
