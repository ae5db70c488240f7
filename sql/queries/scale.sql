-- Partitions of `results`, and the measurements that `plan` extrapolates.

-- name: results_are_partitioned
SELECT relkind = 'p' FROM pg_class WHERE oid = 'results'::regclass;

-- name: end_of_partitions
-- The first image id beyond all partitions, ignoring the default one.
SELECT max((regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''(-?\d+)''\)'))[1]::bigint)
FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = 'results'::regclass;

-- name: greatest_known_image_id
SELECT greatest((SELECT max(image_id) FROM images), (SELECT max(image_id) FROM results), 0);

-- name: views_of_results
-- After the conversion they would still read the old table.
SELECT DISTINCT r.ev_class::regclass::text AS name
FROM pg_depend AS d JOIN pg_rewrite AS r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = 'results'::regclass AND r.ev_class <> d.refobjid
ORDER BY name;

-- name: say_bound
-- Sets a parameter for the scripts of sql/scale that follow in the same transaction.
SELECT set_config('windmill.bound', $1::bigint::text, true);

-- name: say_range
SELECT set_config('windmill.low', $1::bigint::text, true), set_config('windmill.high', $2::bigint::text, true);

-- name: validate_results_bound
ALTER TABLE results VALIDATE CONSTRAINT results_bound;

-- name: forget_results_bound
ALTER TABLE results DROP CONSTRAINT IF EXISTS results_bound;

-- name: paces_of_workers
-- The rates of live workers; `busy` if all their call slots are in use.
SELECT service, rate, in_progress >= concurrency AS busy FROM workers
WHERE stopped_at IS NULL AND heartbeat_at > now() - make_interval(secs => $1);

-- name: sizes_of_tables
-- Including indexes; partitions are summed. The row counts are those of the last ANALYZE.
SELECT known.name, sum(pg_total_relation_size(c.oid))::float8 AS size, sum(greatest(c.reltuples, 0))::float8 AS rows
FROM unnest($1::text[]) AS known (name)
JOIN pg_class AS c ON c.oid = known.name::regclass
                   OR c.oid IN (SELECT i.inhrelid FROM pg_inherits AS i WHERE i.inhparent = known.name::regclass)
GROUP BY known.name;
