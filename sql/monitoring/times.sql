-- In the last hour: how long did services take, by their own account, and how long from submission to result?
SELECT service,
       array_to_string(ARRAY (
           SELECT ROUND(value::numeric, 3) FROM unnest(
               percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY processing_time)
           ) AS value
       ), ' ') AS service_p50_p95_p99,
       ROUND((percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM result_created - submitted_at)))::numeric, 3)
           AS under_way_p50
FROM results WHERE status = 'success' AND result_created > now() - interval '1 hour'
GROUP BY service ORDER BY service;
