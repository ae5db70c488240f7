-- How much disk space do the tables use?
SELECT relname AS table, pg_size_pretty(pg_total_relation_size(oid)) AS total,
       pg_size_pretty(pg_indexes_size(oid)) AS indexes, GREATEST(reltuples, 0)::bigint AS rows_about
FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
ORDER BY pg_total_relation_size(oid) DESC;
