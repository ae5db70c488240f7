-- Images as they are listed and registered over HTTP.

-- name: page_of_images
-- The newest $2 images before $1. The size is that of the search row, as everywhere; before there is one, that which
-- was given when the image was registered.
SELECT i.image_id, i.image_filename, i.image_path, i.image_url, i.image_group,
       coalesce(s.width, i.width) AS width, coalesce(s.height, i.height) AS height, i.original_id, i.image_created
FROM images AS i LEFT JOIN image_search AS s ON s.image_id = coalesce(i.original_id, i.image_id)
WHERE i.image_id < $1 ORDER BY i.image_id DESC LIMIT $2;

-- name: page_of_group
-- The same of the group $3.
SELECT i.image_id, i.image_filename, i.image_path, i.image_url, i.image_group,
       coalesce(s.width, i.width) AS width, coalesce(s.height, i.height) AS height, i.original_id, i.image_created
FROM image_groups AS g JOIN images AS i USING (image_id)
LEFT JOIN image_search AS s ON s.image_id = coalesce(i.original_id, i.image_id)
WHERE g.image_group = $3 AND g.image_id < $1 ORDER BY g.image_id DESC LIMIT $2;

-- name: find_image_ids
-- Of the locations $1 the images that are registered.
SELECT g.location, i.image_id, i.original_id
FROM unnest($1::text[]) AS g (location)
JOIN images AS i ON md5(coalesce(i.image_path, i.image_url))::uuid = md5(g.location)::uuid;

-- name: find_answering_image
SELECT answering_id FROM answering_images WHERE image_id = $1;
