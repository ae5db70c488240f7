-- Heartbeats of workers. All times are those of the database: a worker reports how many seconds ago something happened.

-- name: note_workers
-- One row per process and service. If somebody deleted the row, this restores it.
INSERT INTO workers AS known (process, worker_id, host, pid, service, started_at, last_job_at, stopped_at,
                              done, failed, retried, unavailable, rate, retry_rate,
                              in_progress, concurrency, concurrency_auto, breaker, breaker_reason)
SELECT $1::uuid, $2::text, $3::text, $4::integer, service, now() - make_interval(secs => $5), now() - make_interval(secs => job_seconds),
       CASE WHEN $6::boolean THEN now() END,
       done, failed, retried, unavailable, rate, retry_rate,
       in_progress, concurrency, concurrency_auto, breaker, breaker_reason
FROM unnest($7::text[], $8::float8[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::real[],
            $14::real[], $15::integer[], $16::integer[], $17::boolean[], $18::text[], $19::text[])
     AS beat (service, job_seconds, done, failed, retried, unavailable, rate,
              retry_rate, in_progress, concurrency, concurrency_auto, breaker, breaker_reason)
ON CONFLICT (process, service) DO UPDATE SET
    heartbeat_at = excluded.heartbeat_at, last_job_at = excluded.last_job_at, stopped_at = excluded.stopped_at,
    done = excluded.done, failed = excluded.failed, retried = excluded.retried, unavailable = excluded.unavailable,
    rate = excluded.rate, retry_rate = excluded.retry_rate, in_progress = excluded.in_progress,
    concurrency = excluded.concurrency, concurrency_auto = excluded.concurrency_auto,
    breaker = excluded.breaker, breaker_reason = excluded.breaker_reason;

-- name: forget_gone_workers
-- Skips rows that another process is deleting.
DELETE FROM workers WHERE (process, service) IN (
    SELECT process, service FROM workers
    WHERE heartbeat_at < now() - interval '7 days' AND process <> $1::uuid FOR UPDATE SKIP LOCKED
);

-- name: list_workers
-- Workers of the services $1 that are live, or lost with their last heartbeat within the last hour. A worker is lost if
-- it sent no heartbeat for $2 seconds and did not announce that it stops.
SELECT process, service, worker_id, host, pid, started_at, heartbeat_at, last_job_at,
       extract(epoch FROM now() - started_at)::float8 AS up_seconds,
       extract(epoch FROM now() - heartbeat_at)::float8 AS silent_seconds,
       extract(epoch FROM now() - last_job_at)::float8 AS job_seconds,
       heartbeat_at < now() - make_interval(secs => $2) AS lost,
       done, failed, retried, unavailable, rate, retry_rate,
       in_progress, concurrency, concurrency_auto, breaker, breaker_reason
FROM workers
WHERE service = ANY ($1::text[]) AND stopped_at IS NULL AND heartbeat_at > now() - interval '1 hour'
ORDER BY service, worker_id, host, pid;
