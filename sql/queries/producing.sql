-- The jobs that a producer must publish, and the record of its runs.
--
-- A run walks a range of image ids upward and records its progress. Together, the runs say which (service, image) pairs
-- were submitted, so an interrupted run can be continued and nothing is submitted twice. Runs with the selection
-- 'failed' are not used for this: they skip images that were never submitted.

-- name: wait_for_registrations
-- Call before reading a run's bound. Image ids are assigned under this lock, so no id below the bound appears later.
LOCK TABLE images IN SHARE MODE;

-- name: greatest_image_id
SELECT coalesce(max(image_id), 0) FROM images;

-- name: try_to_be_the_only_producer
-- The lock $1 is held until the session ends.
SELECT pg_try_advisory_lock(hashtextextended($1::text, 0));

-- name: first_unsubmitted_image_id
-- Up to this id every image was submitted to all services $1. $2 is the group, or NULL for all groups.
WITH submitted AS (
    SELECT service, range_agg(int8range(first_image_id, last_image_id, '(]')) AS ids
    FROM runs, unnest(services) AS service
    WHERE selection <> 'failed' AND first_image_id < last_image_id AND (image_group IS NULL OR image_group = $2)
    GROUP BY service
)
SELECT min(coalesce((SELECT upper(walked) - 1 FROM unnest(s.ids) AS walked WHERE lower(walked) = 1), 0))
FROM unnest($1::text[]) AS wanted (service) LEFT JOIN submitted AS s USING (service);

-- name: continue_run
-- The newest unfinished run of the same request; moves its bound up to the images registered now.
UPDATE runs SET until_image_id = greatest(until_image_id, $4), updated_at = now()
WHERE run_id = (
    SELECT max(run_id) FROM runs
    WHERE finished_at IS NULL AND services = $1::text[] AND selection = $2 AND image_group IS NOT DISTINCT FROM $3
      AND urgent = $5
)
RETURNING run_id, first_image_id, until_image_id, last_image_id, images, jobs;

-- name: start_run
INSERT INTO runs (services, selection, image_group, first_image_id, until_image_id, last_image_id, urgent)
VALUES ($1::text[], $2, $3, $4, $5, $4, $6)
RETURNING run_id, first_image_id, until_image_id, last_image_id, images, jobs;

-- name: note_run_progress
UPDATE runs SET last_image_id = $2, images = $3, jobs = $4, updated_at = now(),
                finished_at = CASE WHEN $5 THEN now() END
WHERE run_id = $1;

-- name: group_exists
SELECT EXISTS (SELECT FROM images WHERE image_group = $1);

-- name: some_groups
-- One index lookup per group, regardless of its number of images.
WITH RECURSIVE found (image_group, place) AS (
    (SELECT image_group, 1 FROM images WHERE image_group IS NOT NULL ORDER BY image_group LIMIT 1)
    UNION ALL
    SELECT (SELECT i.image_group FROM images AS i WHERE i.image_group > found.image_group ORDER BY i.image_group LIMIT 1),
           found.place + 1
    FROM found WHERE found.image_group IS NOT NULL AND found.place < 20
)
SELECT image_group FROM found WHERE image_group IS NOT NULL;

-- name: next_image_ids
SELECT image_id FROM images
WHERE image_id > $1 AND image_id <= $2 AND ($3::text IS NULL OR image_group = $3)
ORDER BY image_id LIMIT $4;

-- name: jobs_for_images
-- The images $1 in the order of their ids, each with those of the services $2 to which it must be submitted, and the
-- time of the submission: the database has the one clock by which submissions are compared.
-- $3 selects: 'new' (neither submitted nor answered), 'missing' (not answered), 'failed' (has an error), 'all'.
WITH submitted AS MATERIALIZED (
    SELECT service, image_group, range_agg(int8range(first_image_id, last_image_id, '(]')) AS ids
    FROM runs, unnest(services) AS service
    WHERE $3 = 'new' AND selection <> 'failed' AND service = ANY ($2::text[]) AND first_image_id < last_image_id
    GROUP BY service, image_group
)
SELECT i.image_id, i.image_filename, i.image_path, i.image_url, now() AS submitted_at,
       ARRAY (
           SELECT wanted.service
           FROM unnest($2::text[]) WITH ORDINALITY AS wanted (service, place)
           LEFT JOIN results AS r ON r.image_id = i.image_id AND r.service = wanted.service
           WHERE CASE $3
                     WHEN 'all' THEN true
                     WHEN 'failed' THEN r.status = 'error'
                     ELSE r.image_id IS NULL
                 END
             AND NOT EXISTS (
                 SELECT FROM submitted AS s
                 WHERE s.service = wanted.service AND i.image_id <@ s.ids
                   AND (s.image_group IS NULL OR s.image_group = i.image_group)
             )
           ORDER BY wanted.place
       ) AS services
FROM images AS i
WHERE i.image_id = ANY ($1::bigint[])
ORDER BY i.image_id;

-- name: register_images
-- Returns the number of new images. An image is identified by its location.
WITH new AS (
    INSERT INTO images (image_filename, image_path, image_url, image_group, width, height)
    SELECT image_filename, image_path, image_url, image_group, width, height
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::integer[])
         AS given (image_filename, image_path, image_url, image_group, width, height)
    ON CONFLICT DO NOTHING
    RETURNING 1
)
SELECT count(*) FROM new;
