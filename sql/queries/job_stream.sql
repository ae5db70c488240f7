-- The events of all jobs, and the ends of runs and batches, in the one order in which nothing comes before what was
-- already read: by the transaction that wrote them, and only of transactions before all that are still open.

-- name: read_stream
-- The next $6 events after the place $1, $2: up to the place $3, $4, NULL for all there are, of the principal $5, NULL
-- for any.
SELECT told.xact::text::bigint AS xact, event_id, public_id, run_id, batch_id, principal, seq, at, kind, level,
       position, shard, data
FROM (
    (SELECT e.xact, e.event_id, j.public_id, NULL::bigint AS run_id, NULL::uuid AS batch_id, j.principal, e.seq, e.at,
            e.kind, e.level, e.position, e.shard, e.data
     FROM job_events AS e JOIN jobs AS j ON j.job_id = e.job_id
     WHERE (e.xact, e.event_id) > ($1::bigint::text::xid8, $2::bigint)
       AND e.xact < pg_snapshot_xmin(pg_current_snapshot())
       AND ($3::bigint IS NULL OR (e.xact, e.event_id) <= ($3::bigint::text::xid8, $4::bigint))
       AND ($5::text IS NULL OR j.principal = $5)
     ORDER BY e.xact, e.event_id LIMIT $6)
    UNION ALL
    (SELECT e.xact, e.event_id, NULL, e.run_id, e.batch_id, e.principal, NULL, e.at, e.kind, NULL, NULL, NULL, e.data
     FROM ends AS e
     WHERE (e.xact, e.event_id) > ($1::bigint::text::xid8, $2::bigint)
       AND e.xact < pg_snapshot_xmin(pg_current_snapshot())
       AND ($3::bigint IS NULL OR (e.xact, e.event_id) <= ($3::bigint::text::xid8, $4::bigint))
       AND ($5::text IS NULL OR e.principal = $5)
     ORDER BY e.xact, e.event_id LIMIT $6)
) AS told
ORDER BY told.xact, event_id LIMIT $6;

-- name: find_stream_end
-- The place of the last event that can be read.
SELECT told.xact::text::bigint AS xact, event_id
FROM (
    (SELECT xact, event_id FROM job_events WHERE xact < pg_snapshot_xmin(pg_current_snapshot())
     ORDER BY xact DESC, event_id DESC LIMIT 1)
    UNION ALL
    (SELECT xact, event_id FROM ends WHERE xact < pg_snapshot_xmin(pg_current_snapshot())
     ORDER BY xact DESC, event_id DESC LIMIT 1)
) AS told
ORDER BY told.xact DESC, event_id DESC LIMIT 1;
