-- Figures for `python -m windmill status`. Each is fast, whatever the size of the tables.

-- name: count_images
-- Also the time of the database: the only clock used.
SELECT coalesce(sum(rows) FILTER (WHERE counted = 'images'), 0)::bigint AS images,
       coalesce(sum(rows) FILTER (WHERE counted = 'copies'), 0)::bigint AS copies, now() AS at
FROM row_counts WHERE counted IN ('images', 'copies');

-- name: count_unsubmitted_images
-- Images above all that were submitted regardless of their group, that no run submitted either; counts at most $1, of
-- the first so many images there, so that it takes no longer with more of them.
SELECT count(*) FROM (
    SELECT image_id, image_group FROM images
    WHERE image_id > coalesce((SELECT max(last_image_id) FROM runs WHERE image_group IS NULL AND selection <> 'failed'), 0)
    ORDER BY image_id LIMIT $1
) AS i
WHERE NOT EXISTS (
    SELECT FROM runs AS r
    WHERE int8range(r.first_image_id, r.until_image_id, '(]') @> i.image_id AND i.image_id <= r.last_image_id
      AND r.selection <> 'failed' AND (r.image_group IS NULL OR r.image_group = i.image_group)
);

-- name: count_results_by_service
SELECT service, error_code, sum(rows)::bigint AS rows
FROM row_counts WHERE counted = 'results'
GROUP BY service, error_code HAVING sum(rows) > 0 ORDER BY service, rows DESC, error_code;

-- name: median_times
-- Of the rows in the last 8 MB of the table, which are nearly always the newest. With a limit on rows or time, the
-- planner might read the whole table. With partitions, this reads the end of the one that contains the greatest image
-- id, which is the newest, except for services that lag far behind.
WITH newest AS (SELECT tableoid AS place FROM results ORDER BY image_id DESC LIMIT 1),
bounds AS (
    SELECT c.oid AS place, pg_relation_size(c.oid) / current_setting('block_size')::integer AS pages,
           (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''(-?\d+)''\)'))[1]::bigint AS low,
           (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''(-?\d+)''\)'))[1]::bigint AS high
    FROM pg_class AS c
    WHERE c.oid = 'results'::regclass OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'results'::regclass)
), part AS (
    -- The default partition has no bounds; its rows begin where all others end.
    SELECT pages, coalesce(low, CASE WHEN high IS NULL THEN (SELECT max(high) FROM bounds) END,
                           -9223372036854775808) AS first_image_id
    FROM newest JOIN bounds USING (place)
)
SELECT service, percentile_cont(0.5) WITHIN GROUP (ORDER BY processing_time) AS p50
FROM results
WHERE ctid >= (SELECT format('(%s,0)', greatest(pages - 1000, 0)) FROM part)::tid
  AND image_id >= (SELECT first_image_id FROM part)
  AND status = 'success'
GROUP BY service;

-- name: count_outcomes
SELECT coalesce(sum(rows), 0)::bigint AS settled,
       coalesce(sum(rows) FILTER (WHERE error_code IS NULL), 0)::bigint AS done
FROM row_counts WHERE counted = 'results';

-- name: list_backlog
-- Marks of each of the stages $1, at most 100,000 counted, and for how long the oldest has been due.
SELECT stage,
       (SELECT count(*) FROM (SELECT FROM stale AS s WHERE s.stage = known.stage LIMIT 100000) AS found) AS marks,
       (SELECT extract(epoch FROM now() - min(due))::float8 FROM stale AS s
        WHERE s.stage = known.stage AND due <= now()) AS overdue_seconds
FROM unnest($1::text[]) AS known (stage);

-- name: count_answers_by_minute
-- Answers of each service in each minute since the epoch, from the minute $1 to before $2: the BRIN index on
-- result_created leads to the few pages that hold them.
SELECT service, floor(extract(epoch FROM result_created) / 60)::bigint AS minute, count(*)::bigint AS answers
FROM results
WHERE result_created >= to_timestamp($1::bigint * 60) AND result_created < to_timestamp($2::bigint * 60)
GROUP BY service, minute;

-- name: current_minute
SELECT floor(extract(epoch FROM now()) / 60)::bigint;
