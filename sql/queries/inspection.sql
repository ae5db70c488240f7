-- One image for those who look at it, and where it stands among others.

-- name: inspect_image
SELECT i.image_id, a.answering_id, i.image_filename, i.image_group, i.image_path, i.image_url,
       coalesce(s.width, i.width) AS width, coalesce(s.height, i.height) AS height
FROM images AS i JOIN answering_images AS a USING (image_id)
LEFT JOIN image_search AS s ON s.image_id = a.answering_id
WHERE i.image_id = $1;

-- name: find_neighbour_images
-- The images next to $1 in a list that begins with the newest: of the group $2, or of all.
SELECT
    CASE WHEN $2::text IS NULL
         THEN (SELECT image_id FROM images WHERE image_id > $1 ORDER BY image_id LIMIT 1)
         ELSE (SELECT image_id FROM image_groups WHERE image_group = $2 AND image_id > $1 ORDER BY image_id LIMIT 1)
    END AS previous,
    CASE WHEN $2::text IS NULL
         THEN (SELECT image_id FROM images WHERE image_id < $1 ORDER BY image_id DESC LIMIT 1)
         ELSE (SELECT image_id FROM image_groups WHERE image_group = $2 AND image_id < $1 ORDER BY image_id DESC
               LIMIT 1)
    END AS next;

-- name: list_gallery
-- What a list of the images $1 tells of each: its likeliest votes with their words, how much services disagree, and how
-- many of them have answered or failed.
SELECT g.image_id, i.image_filename, i.image_group,
       coalesce(s.width, i.width) AS width, coalesce(s.height, i.height) AS height, i.original_id, i.image_created,
       coalesce(r.answered, 0) AS answered, coalesce(r.failed, 0) AS failed, c.consensus_data IS NOT NULL AS voted,
       coalesce((SELECT array_agg(concat_ws(' ', v.item ->> 'emoji', v.item -> 'said_yes' -> 0 ->> 'word')
                                  ORDER BY v.place)
                 FROM jsonb_array_elements(c.consensus_data -> 'votes' -> 'consensus')
                      WITH ORDINALITY AS v (item, place)
                 WHERE v.place <= 4), '{}') AS votes,
       d.doubt
FROM unnest($1::bigint[]) WITH ORDINALITY AS g (image_id, place)
JOIN images AS i USING (image_id)
LEFT JOIN image_search AS s ON s.image_id = coalesce(i.original_id, i.image_id)
LEFT JOIN LATERAL (SELECT count(*) FILTER (WHERE error_code IS NULL)::integer AS answered,
                          count(error_code)::integer AS failed
                   FROM results WHERE results.image_id = coalesce(i.original_id, i.image_id)) AS r ON true
LEFT JOIN consensus AS c ON c.image_id = coalesce(i.original_id, i.image_id)
LEFT JOIN LATERAL (SELECT sum(4 * p * (1 - p))::float8 AS doubt
                   FROM (SELECT (item ->> 'probability')::float8 AS p
                         FROM jsonb_path_query(c.consensus_data, '$.votes.*[*]') AS item) AS found) AS d ON true
ORDER BY g.place;

-- name: newest_image_ids
-- The newest $2 images before $1, of the group $3 or of all.
SELECT image_id FROM (
    (SELECT image_id FROM images WHERE $3::text IS NULL AND image_id < $1 ORDER BY image_id DESC LIMIT $2)
    UNION ALL
    (SELECT image_id FROM image_groups WHERE image_group = $3 AND image_id < $1 ORDER BY image_id DESC LIMIT $2)
) AS found ORDER BY image_id DESC;
