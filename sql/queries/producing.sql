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
-- Up to this id every image was submitted to all services $1. $2 is the group, or NULL for all groups. An image that came
-- into the group after a run had passed it lowers the id, until a later run has submitted it.
WITH submitted AS (
    SELECT service, range_agg(int8range(first_image_id, last_image_id, '(]')) AS ids
    FROM runs, unnest(services) AS service
    WHERE selection <> 'failed' AND first_image_id < last_image_id AND (image_group IS NULL OR image_group = $2)
    GROUP BY service
), walked AS (
    SELECT min(coalesce((SELECT upper(walked) - 1 FROM unnest(s.ids) AS walked WHERE lower(walked) = 1), 0)) AS up_to
    FROM unnest($1::text[]) AS wanted (service) LEFT JOIN submitted AS s USING (service)
), late AS (
    SELECT after_run, image_id FROM image_groups WHERE image_group = $2 AND after_run > 0
), since AS (
    SELECT l.after_run, wanted.service,
           range_agg(int8range(r.first_image_id, r.last_image_id, '(]')) FILTER (WHERE r.run_id IS NOT NULL) AS ids
    FROM (SELECT DISTINCT after_run FROM late) AS l
    CROSS JOIN unnest($1::text[]) AS wanted (service)
    LEFT JOIN runs AS r
           ON r.selection <> 'failed' AND r.first_image_id < r.last_image_id AND wanted.service = ANY (r.services)
          AND (r.image_group IS NULL OR (r.image_group = $2 AND r.run_id > l.after_run))
    GROUP BY l.after_run, wanted.service
)
SELECT least(up_to, (SELECT min(late.image_id) - 1 FROM late JOIN since USING (after_run)
                     WHERE since.ids IS NULL OR NOT late.image_id <@ since.ids))
FROM walked;

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
-- Whether the run was cancelled meanwhile; then it ends here.
UPDATE runs SET last_image_id = $2, images = $3, jobs = $4, updated_at = now(),
                until_image_id = CASE WHEN cancelled_at IS NULL THEN until_image_id ELSE $2 END,
                finished_at = CASE WHEN $5 OR cancelled_at IS NOT NULL THEN now() END
WHERE run_id = $1
RETURNING cancelled_at IS NOT NULL;

-- name: group_exists
SELECT EXISTS (SELECT FROM image_groups WHERE image_group = $1);

-- name: some_groups
-- One index lookup per group, regardless of its number of images.
WITH RECURSIVE found (image_group, place) AS (
    (SELECT image_group, 1 FROM image_groups ORDER BY image_group LIMIT 1)
    UNION ALL
    SELECT (SELECT g.image_group FROM image_groups AS g
            WHERE g.image_group > found.image_group ORDER BY g.image_group LIMIT 1),
           found.place + 1
    FROM found WHERE found.image_group IS NOT NULL AND found.place < 20
)
SELECT image_group FROM found WHERE image_group IS NOT NULL;

-- name: next_image_ids
SELECT image_id FROM images WHERE $3::text IS NULL AND image_id > $1 AND image_id <= $2
UNION ALL
SELECT image_id FROM image_groups WHERE image_group = $3 AND image_id > $1 AND image_id <= $2
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
           WHERE i.original_id IS NULL AND CASE $3
                     WHEN 'all' THEN true
                     WHEN 'failed' THEN r.status = 'error'
                     ELSE r.image_id IS NULL
                 END
             AND NOT EXISTS (
                 SELECT FROM submitted AS s
                 WHERE s.service = wanted.service AND i.image_id <@ s.ids
                   AND (s.image_group IS NULL OR EXISTS (
                       SELECT FROM image_groups AS g
                       WHERE g.image_group = s.image_group AND g.image_id = i.image_id
                         AND (g.after_run = 0 OR EXISTS (
                             SELECT FROM runs AS later
                             WHERE later.run_id > g.after_run AND later.image_group = g.image_group
                               AND later.selection <> 'failed' AND wanted.service = ANY (later.services)
                               AND i.image_id > later.first_image_id AND i.image_id <= later.last_image_id
                         ))
                   ))
             )
           ORDER BY wanted.place
       ) AS services
FROM images AS i
WHERE i.image_id = ANY ($1::bigint[])
ORDER BY i.image_id;

-- name: register_images
-- Returns the new images; one is identified by its location. Copies ($9: of which image) come after their originals.
INSERT INTO images (image_filename, image_path, image_url, image_group, width, height, sample, digest, original_id)
SELECT image_filename, image_path, image_url, image_group, width, height, sample, digest, original_id
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::integer[], $7::bigint[], $8::bytea[],
            $9::bigint[])
     AS given (image_filename, image_path, image_url, image_group, width, height, sample, digest, original_id)
ON CONFLICT DO NOTHING
RETURNING image_id, coalesce(image_path, image_url) AS location;

-- name: join_groups
-- The images at the locations $1 come into the groups $2, and the originals of copies with them, so that who submits the
-- group submits these. Returns how many of the named ones were not in it yet.
WITH given AS (
    SELECT DISTINCT location, image_group
    FROM unnest($1::text[], $2::text[]) AS given (location, image_group) WHERE image_group IS NOT NULL
), placed AS (
    SELECT i.image_id, i.original_id, g.image_group
    FROM given AS g JOIN images AS i ON md5(coalesce(i.image_path, i.image_url))::uuid = md5(g.location)::uuid
), members AS (
    SELECT image_id, image_group FROM placed
    UNION
    SELECT original_id, image_group FROM placed WHERE original_id IS NOT NULL
), newest AS (
    SELECT image_group, max(run_id) AS run_id FROM runs GROUP BY image_group
), joined AS (
    INSERT INTO image_groups (image_group, image_id, after_run)
    SELECT m.image_group, m.image_id, coalesce(n.run_id, 0) FROM members AS m LEFT JOIN newest AS n USING (image_group)
    ON CONFLICT DO NOTHING
    RETURNING image_id, image_group
)
SELECT count(DISTINCT image_id) FROM joined JOIN placed USING (image_id, image_group);

-- name: try_to_look_for_copies
SELECT pg_try_advisory_lock(hashtextextended('windmill copies', 0));

-- name: stop_looking_for_copies
SELECT pg_advisory_unlock(hashtextextended('windmill copies', 0));

-- name: find_locations
-- Of the locations $1 those that are registered.
SELECT g.location, i.image_id, i.sample
FROM unnest($1::text[]) AS g (location)
JOIN images AS i ON md5(coalesce(i.image_path, i.image_url))::uuid = md5(g.location)::uuid;

-- name: find_samples
-- The images that have one of the samples $1 and are no copies themselves; of each sample only the first few, because
-- all of them are read, and copies that were kept may be many.
SELECT i.image_id, i.location, i.sample, i.digest
FROM (SELECT DISTINCT unnest($1::bigint[]) AS sample) AS given
CROSS JOIN LATERAL (
    SELECT image_id, coalesce(image_path, image_url) AS location, sample, digest
    FROM images WHERE sample = given.sample AND original_id IS NULL
    ORDER BY image_id LIMIT 8
) AS i;

-- name: note_samples
UPDATE images AS i SET sample = g.sample
FROM unnest($1::text[], $2::bigint[]) AS g (location, sample)
WHERE md5(coalesce(i.image_path, i.image_url))::uuid = md5(g.location)::uuid;

-- name: note_digests
UPDATE images AS i SET digest = g.digest
FROM unnest($1::bigint[], $2::bytea[]) AS g (image_id, digest)
WHERE i.image_id = g.image_id;
