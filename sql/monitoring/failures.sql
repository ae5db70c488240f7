-- What failed, with an example of the message? docs/errors.md has a remedy for each code.
SELECT service, error_code, COUNT(*) AS failed, MAX(result_created) AS latest,
       (ARRAY_AGG(error_message ORDER BY result_created DESC))[1] AS for_example
FROM results WHERE status = 'error'
GROUP BY service, error_code ORDER BY failed DESC;
