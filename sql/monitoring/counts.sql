-- How many results are there, at once however many there are? progress.sql says the same, but reads them all.
SELECT service, COALESCE(SUM(rows) FILTER (WHERE error_code IS NULL), 0) AS done,
       COALESCE(SUM(rows) FILTER (WHERE error_code IS NOT NULL), 0) AS failed
FROM row_counts WHERE counted = 'results'
GROUP BY service ORDER BY service;
