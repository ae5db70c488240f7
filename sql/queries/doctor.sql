-- The doctor's checks of the database.

-- name: server
SELECT current_setting('server_version') AS version,
       clock_timestamp() AS clock,
       pg_is_in_recovery() AS standby,
       coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS tls,
       pg_encoding_to_char(d.encoding) AS encoding,
       pg_database_size(d.oid) AS bytes,
       t.spcname AS tablespace
FROM pg_database AS d JOIN pg_tablespace AS t ON t.oid = d.dattablespace
WHERE d.datname = current_database();

-- name: parameters
-- Leaves out parameters that this account may not see.
SELECT name, setting, enumvals FROM pg_settings WHERE name = ANY ($1::text[]) AND setting IS NOT NULL;

-- name: connections
SELECT count(*) AS used,
       current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer AS most
FROM pg_stat_activity WHERE backend_type = 'client backend';

-- name: long_transactions
-- Open for $1 seconds, or for $2 if they are idle and keep vacuum from removing dead rows.
SELECT pid, usename, application_name, state, extract(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
  AND (xact_start < clock_timestamp() - $1::float8 * interval '1 second'
       OR xact_start < clock_timestamp() - $2::float8 * interval '1 second'
          AND state LIKE 'idle in transaction%' AND coalesce(backend_xid, backend_xmin) IS NOT NULL)
ORDER BY xact_start LIMIT 5;

-- name: held_snapshots
-- What else keeps vacuum from removing dead rows, where it is at least $1 transactions old.
SELECT kind, name, transactions FROM (
    SELECT 'prepared transaction' AS kind, gid AS name, age(transaction) AS transactions
    FROM pg_prepared_xacts WHERE database = current_database()
    UNION ALL
    SELECT 'replication slot', slot_name, age(xmin) FROM pg_replication_slots
    UNION ALL
    SELECT 'standby', application_name, age(backend_xmin) FROM pg_stat_replication
) AS holders
WHERE transactions >= $1 ORDER BY transactions DESC LIMIT 5;

-- name: sample_of_orphans
-- Of at most $1 images that have results, spread evenly over the ids: how many are not in the table images?
WITH bounds AS (SELECT min(image_id) AS low, max(image_id) AS high FROM results),
     points AS (
         SELECT low + ((high - low)::numeric * n / greatest($1::integer - 1, 1))::bigint AS point
         FROM bounds, generate_series(0, $1::integer - 1) AS n
     ),
     sample AS (
         SELECT DISTINCT r.image_id
         FROM points CROSS JOIN LATERAL (
             SELECT image_id FROM results WHERE image_id >= point ORDER BY image_id LIMIT 1
         ) AS r
     )
SELECT count(*) AS looked_at,
       count(*) FILTER (WHERE NOT EXISTS (SELECT FROM images AS i WHERE i.image_id = s.image_id)) AS orphans
FROM sample AS s;

-- name: privileges_not_held
-- Of the pairs of relation $1 and privilege $2, those not held. Skips missing relations; migrations create those.
SELECT relation, privilege
FROM unnest($1::text[], $2::text[]) AS wanted (relation, privilege)
WHERE CASE WHEN to_regclass(relation) IS NULL THEN false
           WHEN privilege = 'USAGE' THEN NOT has_sequence_privilege(to_regclass(relation), privilege)
           ELSE NOT has_table_privilege(to_regclass(relation), privilege) END;

-- name: sample_of_images
-- At most $1 images, spread evenly over the ids.
WITH bounds AS (SELECT min(image_id) AS low, max(image_id) AS high FROM images),
     points AS (
         SELECT low + ((high - low)::numeric * n / greatest($1::integer - 1, 1))::bigint AS point
         FROM bounds, generate_series(0, $1::integer - 1) AS n
     )
SELECT DISTINCT i.image_id, i.image_filename, i.image_path, i.image_url
FROM points CROSS JOIN LATERAL (
    SELECT image_id, image_filename, image_path, image_url FROM images WHERE image_id >= point ORDER BY image_id LIMIT 1
) AS i
ORDER BY i.image_id;

-- name: stages_and_backlog
-- Every stage that runs or has run, in the order of $1. Counts at most 100,000 marks per stage.
SELECT s.stage,
       ARRAY (SELECT f.service FROM feeds AS f WHERE f.stage = s.stage) AS services,
       (SELECT count(*) FROM (SELECT FROM stale AS m WHERE m.stage = s.stage LIMIT 100000) AS found) AS marks,
       (SELECT extract(epoch FROM now() - min(m.due)) FROM stale AS m
        WHERE m.stage = s.stage AND m.due <= now())::float8 AS overdue_seconds
FROM stages AS s ORDER BY array_position($1::text[], s.stage);

-- name: late_leases
-- Tasks of which nobody has renewed the lease since $1 seconds, by step.
SELECT step, count(*)::integer AS tasks, extract(epoch FROM clock_timestamp() - min(lease_until))::float8 AS seconds
FROM tasks WHERE status = 'running' AND lease_until < clock_timestamp() - make_interval(secs => $1)
GROUP BY step ORDER BY step;
