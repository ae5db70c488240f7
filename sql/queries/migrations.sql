-- The record of migrations applied to this database.

-- name: create_migration_record
CREATE TABLE IF NOT EXISTS schema_migrations (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    digest     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: lock_migrations
-- Held until the session ends. If two machines migrate at once, the second waits here and then finds nothing to do.
SELECT pg_advisory_lock(hashtextextended('windmill migrations', 0));

-- name: list_applied_migrations
SELECT version, name, digest FROM schema_migrations ORDER BY version;

-- name: may_read_migrations
SELECT to_regclass('schema_migrations') IS NOT NULL
   AND has_table_privilege(to_regclass('schema_migrations'), 'SELECT');

-- name: record_migration
INSERT INTO schema_migrations (version, name, digest) VALUES ($1, $2, $3);
