-- What is known of one image, for `python -m windmill show`.

-- name: show_image_by_id
-- The size is that of the search row, or else as it was given; `copy_of` is the image whose answers a copy shares.
SELECT i.image_id, i.original_id AS copy_of, i.image_filename, i.image_path, i.image_url, i.image_group,
       coalesce(s.width, i.width) AS width, coalesce(s.height, i.height) AS height, i.image_created
FROM images AS i LEFT JOIN image_search AS s ON s.image_id = coalesce(i.original_id, i.image_id)
WHERE i.image_id = $1;

-- name: find_image_by_location
-- The id of the first of the places $1 that is registered; uses the index images_location.
SELECT image_id
FROM unnest($1::text[]) WITH ORDINALITY AS given (place, position)
JOIN images AS i ON md5(coalesce(i.image_path, i.image_url))::uuid = md5(given.place)::uuid
               AND coalesce(i.image_path, i.image_url) = given.place
ORDER BY position LIMIT 1;

-- name: newest_image_locations
SELECT coalesce(image_path, image_url) AS place FROM images ORDER BY image_id DESC LIMIT $1;

-- name: nearest_image_ids
(SELECT image_id FROM images WHERE image_id < $1 ORDER BY image_id DESC LIMIT 2)
UNION ALL
(SELECT image_id FROM images WHERE image_id > $1 ORDER BY image_id LIMIT 2)
ORDER BY image_id;

-- name: show_results
SELECT service, error_code, error_message, attempt, processing_time::float8 AS seconds, result_created
FROM results WHERE image_id = $1 ORDER BY service;

-- name: show_awaited
-- The services that runs submitted the image to, with one of its groups or with all images, and that have no row in
-- results.
SELECT DISTINCT asked.service
FROM runs AS r CROSS JOIN unnest(r.services) AS asked (service)
WHERE int8range(r.first_image_id, r.until_image_id, '(]') @> $1::bigint
  AND r.selection <> 'failed'
  AND (r.image_group IS NULL
       OR EXISTS (SELECT FROM image_groups AS g WHERE g.image_id = $1 AND g.image_group = r.image_group
                                                 AND g.after_run < r.run_id))
  AND NOT EXISTS (SELECT FROM results AS a WHERE a.image_id = $1 AND a.service = asked.service)
ORDER BY asked.service;

-- name: show_boxes
-- Of the images $1, as all below.
SELECT image_id, box_key, merged_data::text AS merged_data FROM merged_boxes WHERE image_id = ANY ($1::bigint[])
ORDER BY image_id, merged_id;

-- name: show_enrichment
SELECT image_id, box_key, service, error_code, error_message, attempt, final, data::text AS data
FROM postprocessing WHERE image_id = ANY ($1::bigint[]) ORDER BY image_id, box_key, service;

-- name: show_votes
SELECT image_id, consensus_data::text AS consensus_data, calibration FROM consensus
WHERE image_id = ANY ($1::bigint[]);

-- name: show_open_stages
SELECT DISTINCT image_id, stage FROM stale WHERE stage = ANY ($2::text[]) AND image_id = ANY ($1::bigint[])
ORDER BY image_id, stage;
