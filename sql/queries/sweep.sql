-- Sweeping all images for stale rows that no trigger has marked.

-- name: next_answered_images
-- Images with any result or any derived row: after `results` was truncated, only derived rows are left.
SELECT image_id FROM (
    (SELECT DISTINCT image_id FROM results WHERE image_id > $1 ORDER BY image_id LIMIT $2)
    UNION
    (SELECT image_id FROM merges WHERE image_id > $1 ORDER BY image_id LIMIT $2)
    UNION
    (SELECT image_id FROM consensus WHERE image_id > $1 ORDER BY image_id LIMIT $2)
    UNION
    (SELECT image_id FROM picture_hashes WHERE image_id > $1 ORDER BY image_id LIMIT $2)
    UNION
    (SELECT image_id FROM image_search WHERE image_id > $1 ORDER BY image_id LIMIT $2)
) AS answered ORDER BY image_id LIMIT $2;

-- name: mark_images
INSERT INTO stale (stage, image_id) SELECT $1, unnest($2::bigint[]);

-- name: find_stale_merge
-- Those of the images $1 whose merge was not made from the current results, or whose boxes are incomplete; also those
-- of a version before $2 or with another calibration than $3. Skips images that are already marked.
SELECT one AS image_id
FROM unnest($1::bigint[]) AS one
LEFT JOIN merges AS m ON m.image_id = one
CROSS JOIN LATERAL (
    SELECT array_agg(r.result_id ORDER BY r.result_id) AS ids
    FROM results AS r JOIN feeds AS f ON f.service = r.service AND f.stage = 'merge'
    WHERE r.image_id = one
) AS now_there
WHERE ((m.image_id IS NULL AND now_there.ids IS NOT NULL)
       OR m.source_result_ids <> coalesce(now_there.ids, '{}')
       OR m.boxes <> (SELECT count(*) FROM merged_boxes AS b WHERE b.image_id = one)
       OR m.version < $2 OR m.calibration <> $3)
  AND NOT EXISTS (SELECT FROM stale AS s WHERE s.stage = 'merge' AND s.image_id = one AND s.tries = 0);

-- name: find_stale_consensus
-- The same for the vote, which is made from results, boxes and enrichment.
SELECT one AS image_id
FROM unnest($1::bigint[]) AS one
LEFT JOIN consensus AS c ON c.image_id = one
CROSS JOIN LATERAL (
    SELECT array_agg(r.result_id ORDER BY r.result_id) AS ids
    FROM results AS r JOIN feeds AS f ON f.service = r.service AND f.stage = 'consensus'
    WHERE r.image_id = one
) AS results_now
CROSS JOIN LATERAL (
    SELECT array_agg(m.merged_id ORDER BY m.merged_id) AS ids FROM merged_boxes AS m WHERE m.image_id = one
) AS boxes_now
CROSS JOIN LATERAL (
    SELECT array_agg(p.post_id ORDER BY p.post_id) AS ids FROM postprocessing AS p WHERE p.image_id = one
) AS crops_now
WHERE ((c.image_id IS NULL AND results_now.ids IS NOT NULL)
       OR c.source_result_ids <> coalesce(results_now.ids, '{}')
       OR c.source_merged_ids <> coalesce(boxes_now.ids, '{}')
       OR c.source_post_ids <> coalesce(crops_now.ids, '{}')
       OR c.version < $2 OR c.calibration <> $3)
  AND NOT EXISTS (SELECT FROM stale AS s WHERE s.stage = 'consensus' AND s.image_id = one AND s.tries = 0);

-- name: find_stale_enrich
-- Images with a box that no service has analysed, or with enrichment that is not final, belongs to a deleted box, or
-- has a version before $2.
SELECT one AS image_id
FROM unnest($1::bigint[]) AS one
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(m.box_key), '{}') AS keys FROM merged_boxes AS m WHERE m.image_id = one
) AS boxes
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(p.box_key), '{}') AS keys, coalesce(bool_or(NOT p.final OR p.version < $2), false) AS open
    FROM postprocessing AS p WHERE p.image_id = one
) AS answered
WHERE (NOT boxes.keys <@ answered.keys OR NOT answered.keys <@ boxes.keys OR answered.open)
  AND NOT EXISTS (SELECT FROM stale AS s WHERE s.stage = 'enrich' AND s.image_id = one AND s.tries = 0);

-- name: find_stale_index
-- Images whose search row was not made from the present rows, or has a version before $2.
SELECT one AS image_id
FROM unnest($1::bigint[]) AS one
LEFT JOIN image_search AS i ON i.image_id = one
WHERE (i.sources IS DISTINCT FROM search_sources(one) OR i.version < $2)
  AND NOT EXISTS (SELECT FROM stale AS s WHERE s.stage = 'index' AND s.image_id = one AND s.tries = 0);

-- name: forget_enrichment
-- Deletes the enrichment of the images $1 with a version before $2, or all of it if $2 is NULL.
WITH kept AS (
    SELECT e.image_id, json_agg(one) FILTER (WHERE (one ->> 'version')::integer >= $2::integer) AS answers
    FROM enrichments AS e CROSS JOIN LATERAL json_array_elements(e.answers) AS one
    WHERE e.image_id = ANY ($1::bigint[]) GROUP BY e.image_id
), gone AS (
    DELETE FROM enrichments AS e USING kept AS k WHERE e.image_id = k.image_id AND k.answers IS NULL
)
UPDATE enrichments AS e SET answers = k.answers, updated = clock_timestamp() FROM kept AS k
WHERE e.image_id = k.image_id AND json_array_length(k.answers) < json_array_length(e.answers);

-- name: list_stages
-- The stages that have ever run, in the order of $1.
SELECT stage FROM stages ORDER BY array_position($1::text[], stage);
