-- What post-processors read and write. Every statement filters by image_id.

-- name: read_sources
-- The results that feed stage $1.
SELECT r.image_id, r.service, r.result_id, r.status, r.error_code, r.data::text AS data, r.processing_time,
       r.result_created, r.image_sent::text AS image_sent
FROM results AS r JOIN feeds AS f ON f.service = r.service AND f.stage = $1
WHERE r.image_id = ANY ($2::bigint[])
ORDER BY r.image_id, r.service;

-- name: read_awaited
SELECT one AS image_id, array_agg(service ORDER BY service) AS services
FROM unnest($2::bigint[]) AS one CROSS JOIN awaited_services(one, $1) AS service
GROUP BY one;

-- name: read_sizes
SELECT image_id, width, height FROM images
WHERE image_id = ANY ($1::bigint[]) AND width > 0 AND height > 0;

-- name: read_image
SELECT image_id, image_filename, image_path, image_url, width, height FROM images WHERE image_id = $1;

-- name: read_fingerprints
-- Which files the services were sent whose results $2 are.
SELECT DISTINCT image_fingerprint FROM results
WHERE image_id = $1 AND result_id = ANY ($2::bigint[]) AND image_fingerprint IS NOT NULL;

-- name: read_merged_boxes
SELECT image_id, merged_id, box_key, anchor, source_result_ids, merged_data::text AS merged_data, version, calibration
FROM merged_boxes WHERE image_id = ANY ($1::bigint[])
ORDER BY image_id, merged_id;

-- name: read_merges
SELECT image_id, source_result_ids, services, awaiting, dropped::text AS dropped, boxes, version, calibration
FROM merges WHERE image_id = ANY ($1::bigint[]);

-- name: delete_merged_boxes
DELETE FROM merged_boxes AS m USING unnest($1::bigint[], $2::bigint[]) AS gone (image_id, merged_id)
WHERE m.image_id = gone.image_id AND m.merged_id = gone.merged_id;

-- name: insert_merged_boxes
-- A box that existed before, as its box_key shows, keeps its merged_id.
INSERT INTO merged_boxes (image_id, merged_id, box_key, anchor, source_result_ids, merged_data, version, calibration)
OVERRIDING SYSTEM VALUE
SELECT image_id, coalesce(merged_id, nextval(pg_get_serial_sequence('merged_boxes', 'merged_id'))), box_key,
       string_to_array(anchor, ',')::integer[], string_to_array(source_result_ids, ',')::bigint[], merged_data::jsonb,
       $7, $8
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[])
     AS new (image_id, merged_id, box_key, anchor, source_result_ids, merged_data);

-- name: delete_merges
DELETE FROM merges WHERE image_id = ANY ($1::bigint[]);

-- name: insert_merges
INSERT INTO merges (image_id, source_result_ids, services, awaiting, dropped, boxes, version, calibration)
SELECT image_id, string_to_array(source_result_ids, ',')::bigint[], string_to_array(services, ','),
       string_to_array(awaiting, ','), dropped::jsonb, boxes, $7, $8
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::integer[])
     AS new (image_id, source_result_ids, services, awaiting, dropped, boxes);

-- name: delete_postprocessing_of_vanished_boxes
DELETE FROM postprocessing AS p
WHERE p.image_id = ANY ($1::bigint[])
  AND NOT EXISTS (SELECT FROM merged_boxes AS m WHERE m.image_id = p.image_id AND m.box_key = p.box_key);

-- name: read_consensus
SELECT image_id, consensus_data::text AS consensus_data, source_result_ids, source_merged_ids, source_post_ids, version,
       calibration
FROM consensus WHERE image_id = ANY ($1::bigint[]);

-- name: delete_consensus
DELETE FROM consensus WHERE image_id = ANY ($1::bigint[]);

-- name: insert_consensus
INSERT INTO consensus (image_id, consensus_data, source_result_ids, source_merged_ids, source_post_ids,
                       processing_time, version, calibration)
SELECT image_id, consensus_data::jsonb, string_to_array(source_result_ids, ',')::bigint[],
       string_to_array(source_merged_ids, ',')::bigint[], string_to_array(source_post_ids, ',')::bigint[],
       processing_time, $7, $8
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::real[])
     AS new (image_id, consensus_data, source_result_ids, source_merged_ids, source_post_ids, processing_time);

-- name: read_postprocessing
SELECT image_id, post_id, box_key, service, data::text AS data, status, error_code, attempt, final, processing_time
FROM postprocessing WHERE image_id = ANY ($1::bigint[])
ORDER BY image_id, box_key, service;

-- name: delete_postprocessing
DELETE FROM postprocessing AS p USING unnest($2::text[], $3::text[]) AS gone (box_key, service)
WHERE p.image_id = $1 AND p.box_key = gone.box_key AND p.service = gone.service;

-- name: insert_postprocessing
-- Only for boxes that still exist.
INSERT INTO postprocessing (image_id, merged_box_id, box_key, service, data, status, error_code, error_message,
                            attempt, final, processing_time, version)
SELECT $1, m.merged_id, new.box_key, new.service, new.data::json,
       CASE WHEN new.error_code IS NULL THEN 'success' ELSE 'error' END, new.error_code, new.error_message,
       new.attempt, new.final, new.processing_time, $10
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::integer[], $8::boolean[], $9::real[])
     AS new (box_key, service, data, error_code, error_message, attempt, final, processing_time)
JOIN merged_boxes AS m ON m.image_id = $1 AND m.box_key = new.box_key;

-- name: derived_tables_are_there
-- Fails if the migrations were not applied.
SELECT 1 FROM stages, merges LIMIT 0;
