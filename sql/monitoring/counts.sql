-- How many results are there? Fast with any number of rows; progress.sql shows the same but reads all of them.
SELECT service, COALESCE(SUM(rows) FILTER (WHERE error_code IS NULL), 0) AS done,
       COALESCE(SUM(rows) FILTER (WHERE error_code IS NOT NULL), 0) AS failed
FROM row_counts WHERE counted = 'results'
GROUP BY service ORDER BY service;
