-- Jobs that were submitted but have no result.

-- name: submitted_range
-- The range of image ids that runs submitted to any of the services $1. $2 is one run, or NULL for all.
-- Ignores runs with the selection 'failed': they skip images that were never submitted.
SELECT coalesce(min(first_image_id), 0) AS first_image_id, coalesce(max(last_image_id), 0) AS last_image_id
FROM runs
WHERE selection <> 'failed' AND services && $1::text[] AND ($2::bigint IS NULL OR run_id = $2);

-- name: run_exists
SELECT EXISTS (SELECT FROM runs WHERE run_id = $1);

-- name: unanswered_jobs_for_images
-- The images $1 that runs ($3, or NULL for all) submitted to any of the services $2 and that have no answer yet, in the
-- order of their ids, each with those services. Those that an urgent run submitted are a row of their own.
WITH submitted AS MATERIALIZED (
    SELECT service, image_group, urgent, range_agg(int8range(first_image_id, last_image_id, '(]')) AS ids
    FROM runs, unnest(services) AS service
    WHERE selection <> 'failed' AND service = ANY ($2::text[]) AND first_image_id < last_image_id
      AND ($3::bigint IS NULL OR run_id = $3)
    GROUP BY service, image_group, urgent
)
SELECT i.image_id, i.image_filename, i.image_path, i.image_url, now() AS submitted_at,
       array_agg(wanted.service ORDER BY wanted.place) AS services, run.urgent
FROM images AS i
CROSS JOIN unnest($2::text[]) WITH ORDINALITY AS wanted (service, place)
CROSS JOIN LATERAL (
    SELECT bool_or(s.urgent) AS urgent FROM submitted AS s
    WHERE s.service = wanted.service AND i.image_id <@ s.ids
      AND (s.image_group IS NULL OR EXISTS (
          SELECT FROM image_groups AS g
          WHERE g.image_group = s.image_group AND g.image_id = i.image_id
            AND (g.after_run = 0 OR EXISTS (
                SELECT FROM runs AS later
                WHERE later.run_id > g.after_run AND later.image_group = g.image_group
                  AND later.selection <> 'failed' AND wanted.service = ANY (later.services)
                  AND i.image_id > later.first_image_id AND i.image_id <= later.last_image_id
                  AND later.urgent = s.urgent AND ($3::bigint IS NULL OR later.run_id = $3)
            ))
      ))
) AS run
WHERE i.image_id = ANY ($1::bigint[]) AND i.original_id IS NULL AND run.urgent IS NOT NULL
  AND NOT EXISTS (SELECT FROM results AS r WHERE r.image_id = i.image_id AND r.service = wanted.service)
GROUP BY i.image_id, run.urgent
ORDER BY i.image_id, run.urgent;
