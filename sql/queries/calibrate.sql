-- Labelled images and the services' answers for them.

-- name: find_images_by_filename
SELECT image_id, image_filename FROM images
WHERE image_filename = ANY ($1::text[]) AND ($2::text IS NULL OR EXISTS (
    SELECT FROM image_groups AS g WHERE g.image_group = $2 AND g.image_id = images.image_id
))
ORDER BY image_id;

-- name: read_replies
SELECT image_id, service, data::text AS data, image_sent::text AS image_sent FROM results
WHERE image_id = ANY ($1::bigint[]) AND status = 'success'
ORDER BY image_id, service;

-- name: find_images_of_several
-- The latest images that several of these services have answered.
SELECT r.image_id FROM results AS r
WHERE r.service = ANY ($1::text[]) AND r.status = 'success' AND ($2::text IS NULL OR EXISTS (
    SELECT FROM image_groups AS g WHERE g.image_group = $2 AND g.image_id = r.image_id
))
GROUP BY r.image_id HAVING count(*) > 1
ORDER BY r.image_id DESC LIMIT $3;
