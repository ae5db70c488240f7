-- How many results does each service have? Run any of these files with: make psql < sql/monitoring/progress.sql
SELECT service, COUNT(*), COUNT(*) FILTER (WHERE status = 'success') as success_count FROM results GROUP BY service;
