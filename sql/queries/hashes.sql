-- Perceptual hashes of pictures: what the stage `hash` reads and writes.

-- name: next_registered_images
SELECT image_id FROM images WHERE image_id > $1 AND original_id IS NULL ORDER BY image_id LIMIT $2;

-- name: find_hashed_images
-- Those of the images $1 that were looked at before.
SELECT image_id FROM picture_hashes WHERE image_id = ANY ($1::bigint[]);

-- name: find_stale_hash
-- Images without a hash, with one of a version before $2, or of another file than services were sent since; and
-- hashes of images that are gone.
SELECT one AS image_id
FROM unnest($1::bigint[]) AS one
LEFT JOIN picture_hashes AS h ON h.image_id = one
LEFT JOIN images AS i ON i.image_id = one AND i.original_id IS NULL
WHERE ((i.image_id IS NULL) <> (h.image_id IS NULL)
       OR h.version < $2
       OR (i.image_id IS NOT NULL AND h.fingerprint <> (SELECT r.image_fingerprint FROM results AS r
            WHERE r.image_id = one AND r.image_fingerprint IS NOT NULL AND r.result_created > h.created
            ORDER BY r.result_created DESC LIMIT 1)))
  AND NOT EXISTS (SELECT FROM stale AS s WHERE s.stage = 'hash' AND s.image_id = one AND s.tries = 0);

-- name: forget_hashes
-- Deletes those of the images $1 with a version before $2, or all if $2 is NULL.
DELETE FROM picture_hashes WHERE image_id = ANY ($1::bigint[]) AND ($2::integer IS NULL OR version < $2);

-- name: read_pictures_to_hash
SELECT image_id, image_filename, image_path, image_url FROM images
WHERE image_id = ANY ($1::bigint[]) AND original_id IS NULL;

-- name: write_hashes
INSERT INTO picture_hashes AS h (image_id, phash, width, height, fingerprint, error_code, version)
SELECT image_id, phash, width, height, fingerprint, error_code, $7
FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::integer[], $5::bigint[], $6::text[])
     AS new (image_id, phash, width, height, fingerprint, error_code)
ON CONFLICT (image_id) DO UPDATE
SET phash = EXCLUDED.phash, width = EXCLUDED.width, height = EXCLUDED.height, fingerprint = EXCLUDED.fingerprint,
    error_code = EXCLUDED.error_code, version = EXCLUDED.version, created = clock_timestamp()
WHERE (h.phash, h.width, h.height, h.fingerprint, h.error_code, h.version)
      IS DISTINCT FROM
      (EXCLUDED.phash, EXCLUDED.width, EXCLUDED.height, EXCLUDED.fingerprint, EXCLUDED.error_code, EXCLUDED.version);

-- name: delete_hashes
DELETE FROM picture_hashes WHERE image_id = ANY ($1::bigint[]);

-- name: read_hashes
SELECT image_id, phash, width, height FROM picture_hashes WHERE image_id = ANY ($1::bigint[]) AND phash IS NOT NULL;
