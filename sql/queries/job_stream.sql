-- The events of all jobs in the one order in which nothing comes before what was already read: by the transaction that
-- wrote them, and only of transactions before all that are still open.

-- name: read_stream
-- The next $6 events after the place $1, $2: up to the place $3, $4, NULL for all there are, of the jobs of the
-- principal $5, NULL for any.
SELECT e.xact::text::bigint AS xact, e.event_id, e.job_id, e.seq, e.at, e.kind, e.level, e.position, e.shard, e.data,
       j.public_id, j.principal
FROM job_events AS e JOIN jobs AS j ON j.job_id = e.job_id
WHERE (e.xact, e.event_id) > ($1::bigint::text::xid8, $2::bigint)
  AND e.xact < pg_snapshot_xmin(pg_current_snapshot())
  AND ($3::bigint IS NULL OR (e.xact, e.event_id) <= ($3::bigint::text::xid8, $4::bigint))
  AND ($5::text IS NULL OR j.principal = $5)
ORDER BY e.xact, e.event_id LIMIT $6;

-- name: find_stream_end
-- The place of the last event that can be read.
SELECT xact::text::bigint AS xact, event_id FROM job_events WHERE xact < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY xact DESC, event_id DESC LIMIT 1;
