-- What do workers do, how fast, and which are lost? Lost: no heartbeat for a minute without announcing a stop.
SELECT service, worker_id, host, pid,
       CASE WHEN stopped_at IS NOT NULL THEN 'stopped'
            WHEN heartbeat_at < now() - interval '60 seconds' THEN 'lost'
            ELSE 'live' END AS state,
       date_trunc('second', now() - heartbeat_at) AS heartbeat_ago, date_trunc('second', now() - last_job_at) AS job_ago,
       done, failed, retried, unavailable, ROUND(rate::numeric, 2) AS per_second, in_progress,
       CASE WHEN concurrency_auto THEN 'auto ' ELSE '' END || concurrency AS calls, breaker, breaker_reason
FROM workers WHERE heartbeat_at > now() - interval '1 day'
ORDER BY service, state, worker_id, host, pid;
