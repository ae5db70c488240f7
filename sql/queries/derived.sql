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

-- name: read_images_to_enrich
-- Of each of the images $1: its boxes and the version of their row, what services said of them, where the image is
-- (registered is NULL if nobody knows), and which files the services were sent whose results the boxes were made from.
SELECT m.image_id, m.box_rows::text AS box_rows, m.xmin::text AS version, e.answers::text AS answers,
       i.image_id AS registered, i.image_filename, i.image_path, i.image_url, i.width, i.height,
       ARRAY (SELECT DISTINCT r.image_fingerprint FROM results AS r
              WHERE r.image_id = m.image_id AND r.result_id = ANY (m.source_result_ids)
                AND r.image_fingerprint IS NOT NULL) AS fingerprints
FROM merges AS m
LEFT JOIN enrichments AS e ON e.image_id = m.image_id
LEFT JOIN images AS i ON i.image_id = m.image_id
WHERE m.image_id = ANY ($1::bigint[]);

-- name: read_merged_boxes
SELECT image_id, merged_id, box_key, anchor, source_result_ids, merged_data::text AS merged_data, version, calibration
FROM merged_boxes WHERE image_id = ANY ($1::bigint[])
ORDER BY image_id, merged_id;

-- name: read_boxes
SELECT image_id, source_result_ids, box_rows::text AS box_rows FROM merges WHERE image_id = ANY ($1::bigint[]);

-- name: read_merges
SELECT image_id, source_result_ids, services, awaiting, failed, dropped::text AS dropped, boxes,
       box_rows::text AS box_rows, version, calibration
FROM merges WHERE image_id = ANY ($1::bigint[]);

-- name: next_merged_ids
SELECT nextval('merged_ids') AS merged_id FROM generate_series(1, $1::integer);

-- name: delete_merges
DELETE FROM merges WHERE image_id = ANY ($1::bigint[]);

-- name: write_merges
INSERT INTO merges AS m (image_id, source_result_ids, services, awaiting, failed, dropped, boxes, box_rows, version,
                         calibration)
SELECT image_id, string_to_array(source_result_ids, ',')::bigint[], string_to_array(services, ','),
       string_to_array(awaiting, ','), string_to_array(failed, ','), dropped::jsonb, boxes, box_rows::json, $9, $10
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::integer[], $8::text[])
     AS new (image_id, source_result_ids, services, awaiting, failed, dropped, boxes, box_rows)
ON CONFLICT (image_id) DO UPDATE SET
    source_result_ids = excluded.source_result_ids, services = excluded.services, awaiting = excluded.awaiting,
    failed = excluded.failed, dropped = excluded.dropped, boxes = excluded.boxes, box_rows = excluded.box_rows,
    version = excluded.version, calibration = excluded.calibration, created = clock_timestamp();

-- name: read_box_answers
SELECT image_id, answers::text AS answers FROM enrichments WHERE image_id = ANY ($1::bigint[]);

-- name: lock_box_answers
-- The same, until the end of the transaction: who writes some answers writes all of them.
SELECT image_id, answers::text AS answers FROM enrichments WHERE image_id = ANY ($1::bigint[])
ORDER BY image_id FOR NO KEY UPDATE;

-- name: read_consensus
SELECT image_id, consensus_data::text AS consensus_data, source_result_ids, source_merged_ids, source_post_ids, version,
       calibration
FROM votes WHERE image_id = ANY ($1::bigint[]);

-- name: delete_consensus
DELETE FROM votes WHERE image_id = ANY ($1::bigint[]);

-- name: write_consensus
INSERT INTO votes (image_id, consensus_data, source_result_ids, source_merged_ids, source_post_ids, processing_time,
                   version, calibration)
SELECT image_id, consensus_data::json, string_to_array(source_result_ids, ',')::bigint[],
       string_to_array(source_merged_ids, ',')::bigint[], string_to_array(source_post_ids, ',')::bigint[],
       processing_time, $7, $8
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::real[])
     AS new (image_id, consensus_data, source_result_ids, source_merged_ids, source_post_ids, processing_time)
ON CONFLICT (image_id) DO UPDATE SET
    consensus_data = excluded.consensus_data, source_result_ids = excluded.source_result_ids,
    source_merged_ids = excluded.source_merged_ids, source_post_ids = excluded.source_post_ids,
    processing_time = excluded.processing_time, version = excluded.version, calibration = excluded.calibration,
    created = clock_timestamp();

-- name: open_box_answers
-- The boxes of image $2 unless they are still of version $5, what services said of them, numbers for $4 more answers, and
-- the present time. No row unless the marks of stage $1 are under lease $3: these and the answers are locked until the
-- transaction ends, as by hold_lease and lock_box_answers. The lock of the image was taken by an earlier statement, so
-- that this one sees the last merge.
WITH held AS (
    SELECT set_config('windmill.stage', $1, true) AS stage FROM stale
    WHERE stage = $1 AND image_id = $2 AND lease = $3 ORDER BY id FOR UPDATE
), locked AS (
    SELECT answers::text AS answers FROM enrichments
    WHERE image_id = $2 FOR NO KEY UPDATE
)
SELECT (SELECT box_rows::text FROM merges WHERE image_id = $2 AND xmin::text <> $5) AS box_rows,
       EXISTS (SELECT FROM merges WHERE image_id = $2 AND xmin::text = $5) AS known,
       (SELECT answers FROM locked) AS answers,
       ARRAY (SELECT nextval('post_ids') FROM generate_series(1, $4::integer)) AS post_ids,
       clock_timestamp()::text AS result_created
WHERE (SELECT count(stage) FROM held) > 0;

-- name: write_box_answers
INSERT INTO enrichments (image_id, answers) SELECT * FROM unnest($1::bigint[], $2::json[])
ON CONFLICT (image_id) DO UPDATE SET answers = excluded.answers, updated = clock_timestamp();

-- name: delete_box_answers
DELETE FROM enrichments WHERE image_id = ANY ($1::bigint[]);

-- name: derived_tables_are_there
-- Fails if the migrations were not applied.
SELECT 1 FROM stages, merges, enrichments, votes LIMIT 0;
