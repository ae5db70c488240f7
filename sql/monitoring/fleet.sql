-- Per service: live workers, workers lost in the last day, their total rate, and is the service down?
SELECT service,
       COUNT(*) FILTER (WHERE live) AS live, COUNT(*) FILTER (WHERE NOT live) AS lost,
       ROUND(SUM(rate) FILTER (WHERE live)::numeric, 2) AS per_second,
       SUM(in_progress) FILTER (WHERE live) AS in_progress,
       COUNT(*) FILTER (WHERE live AND breaker = 'open') AS breakers_open,
       MAX(breaker_reason) FILTER (WHERE live) AS reason
FROM (SELECT *, heartbeat_at > now() - interval '60 seconds' AS live
      FROM workers WHERE stopped_at IS NULL AND heartbeat_at > now() - interval '1 day') AS w
GROUP BY service ORDER BY service;
