-- Open work of the post-processors: `stale` holds a mark for each change that somebody has yet to look at.

-- name: claim_stale_images
-- Takes up to $2 marks of stage $1 that are due; to be followed, in the same transaction, by lock_images. A crash
-- brings them back. Only index entries that are due are read, however large the tables are.
WITH due_marks AS (
    SELECT due, id, image_id FROM stale
    WHERE stage = $1 AND due <= now()
    ORDER BY due, id LIMIT $2 FOR UPDATE SKIP LOCKED
), taken AS (
    DELETE FROM stale AS s USING due_marks AS d
    WHERE s.stage = $1 AND s.due = d.due AND s.id = d.id AND s.image_id = d.image_id
    RETURNING s.image_id, s.tries, s.deferred
)
SELECT image_id, max(tries) AS tries, bool_or(deferred) AS deferred FROM taken GROUP BY image_id ORDER BY image_id;

-- name: read_waits
-- For each of the images $3 that are stale for stage $1: whether more is expected that would make it stale again, which
-- services that feed stage $2 or open work of the stages $4 can bring; how old its first answer is; and in how many
-- seconds somebody who decided to wait will look again.
SELECT one AS image_id,
       EXISTS (SELECT FROM awaited_services(one, $2))
       OR EXISTS (SELECT FROM stale AS s WHERE s.stage = ANY ($4::text[]) AND s.image_id = one) AS more_to_come,
       coalesce(extract(epoch FROM now() - (SELECT min(r.result_created) FROM results AS r WHERE r.image_id = one)),
                0)::float8 AS age,
       (SELECT extract(epoch FROM min(s.due) - now()) FROM stale AS s
        WHERE s.stage = $1 AND s.image_id = one AND s.deferred)::float8 AS looks_in
FROM unnest($3::bigint[]) AS one;

-- name: find_merged_images
-- Of the images $1 those that were merged before.
SELECT image_id FROM merges WHERE image_id = ANY ($1::bigint[]);

-- name: find_enriched_images
-- Those of which a box was shown to a service before.
SELECT DISTINCT image_id FROM postprocessing WHERE image_id = ANY ($1::bigint[]);

-- name: find_voted_images
-- Those that were voted on before.
SELECT image_id FROM consensus WHERE image_id = ANY ($1::bigint[]);

-- name: defer_images
-- The images $2 are looked at after so many seconds $3 each, whatever comes until then.
INSERT INTO stale (stage, image_id, due, deferred)
SELECT $1, image_id, now() + make_interval(secs => seconds), true
FROM unnest($2::bigint[], $3::float8[]) AS later (image_id, seconds);

-- name: lock_images
-- One at a time works on an image of a stage, and reads only after the one before has committed: so the last writer has
-- seen everything. $2 is in ascending order, so that nobody waits in a circle.
SELECT pg_advisory_xact_lock(hashtextextended('windmill ' || $1::text, one)) FROM unnest($2::bigint[]) AS one;

-- name: write_as_stage
-- Until the transaction ends: what it writes was computed by this stage, and is not to be computed anew.
SELECT set_config('windmill.stage', $1, true);

-- name: take_further_marks
-- What became of an image until now is seen by the reading that follows: one look serves all of its marks.
WITH visible AS (
    SELECT due, id, image_id FROM stale WHERE stage = $1 AND image_id = ANY ($2::bigint[]) FOR UPDATE SKIP LOCKED
)
DELETE FROM stale AS s USING visible AS v
WHERE s.stage = $1 AND s.due = v.due AND s.id = v.id AND s.image_id = v.image_id;

-- name: postpone_image
-- A mark that comes due after $3 seconds, for an image that could not be done, the $4th time.
INSERT INTO stale (stage, image_id, due, tries, deferred) VALUES ($1, $2, now() + make_interval(secs => $3), $4, true);

-- name: lease_stale_images
-- Three steps of one transaction. First candidates of stage $1: at most $2 marks that are due and that nobody else has
-- in hand.
SELECT image_id, bool_or(deferred) AS deferred FROM (
    SELECT image_id, deferred FROM stale
    WHERE stage = $1 AND due <= now() ORDER BY due, id LIMIT $2 FOR UPDATE SKIP LOCKED
) AS candidates GROUP BY image_id ORDER BY image_id;

-- name: lock_free_images
-- Then those among the images $2 that no other transaction is just leasing. Never waits.
SELECT one AS image_id FROM unnest($2::bigint[]) AS one
WHERE pg_try_advisory_xact_lock(hashtextextended('windmill lease ' || $1::text, one));

-- name: put_marks_off
-- Candidates that are to wait for so many seconds $3 each.
WITH open AS (
    SELECT due, id, image_id FROM stale
    WHERE stage = $1 AND image_id = ANY ($2::bigint[]) AND due <= now() FOR UPDATE SKIP LOCKED
)
UPDATE stale AS s SET due = now() + make_interval(secs => later.seconds), deferred = true, lease = NULL
FROM open AS o JOIN unnest($2::bigint[], $3::float8[]) AS later (image_id, seconds) USING (image_id)
WHERE s.stage = $1 AND s.due = o.due AND s.id = o.id AND s.image_id = o.image_id;

-- name: lease_images
-- Pushes the marks of the images $2 away for $4 seconds, in the name of lease $3, except of images that are leased
-- already: their new marks wait until that lease is over. Returns whom we got. What another transaction has just in
-- hand is passed by: to wait for it could be to wait in a circle.
WITH open AS (
    SELECT due, id, image_id, lease FROM stale
    WHERE stage = $1 AND image_id = ANY ($2::bigint[]) FOR UPDATE SKIP LOCKED
), leased AS (
    SELECT image_id, max(due) AS until FROM stale
    WHERE stage = $1 AND image_id = ANY ($2::bigint[]) AND lease IS NOT NULL AND due > now()
    GROUP BY image_id
), put_off AS (
    UPDATE stale AS s SET due = l.until FROM open AS o JOIN leased AS l USING (image_id)
    WHERE s.stage = $1 AND s.due = o.due AND s.id = o.id AND s.image_id = o.image_id
      AND o.lease IS NULL AND o.due < l.until
), ours AS (
    -- A lease that ran out: whoever had it was lost, perhaps because of this image.
    UPDATE stale AS s SET due = now() + make_interval(secs => $4), lease = $3,
                          tries = s.tries + (s.lease IS NOT NULL)::integer
    FROM open AS o
    WHERE s.stage = $1 AND s.due = o.due AND s.id = o.id AND s.image_id = o.image_id
      AND o.image_id NOT IN (SELECT image_id FROM leased)
    RETURNING s.image_id, s.tries
)
SELECT image_id, max(tries) AS tries FROM ours GROUP BY image_id ORDER BY image_id;

-- name: renew_lease
-- Says that we are still at it: the marks of lease $2 stay away for $3 more seconds.
UPDATE stale SET due = now() + make_interval(secs => $3) WHERE stage = $1 AND lease = $2 AND image_id = ANY ($4::bigint[]);

-- name: end_lease
-- The image is done: its marks under this lease go, and those that came meanwhile are due at once. Nothing is left to
-- remove for one whose lease ran out and was taken over.
WITH done AS (
    DELETE FROM stale WHERE stage = $1 AND image_id = $2 AND lease = $3
)
UPDATE stale SET due = now() WHERE stage = $1 AND image_id = $2 AND lease IS NULL AND due > now();

-- name: put_lease_off
-- The image is not done: it comes due again after $4 seconds.
UPDATE stale SET due = now() + make_interval(secs => $4), deferred = true, lease = NULL, tries = tries + $5
WHERE stage = $1 AND image_id = $2 AND lease = $3;

-- name: read_feeds
-- The services of a stage; no row for a stage that was never introduced.
SELECT ARRAY (SELECT f.service FROM feeds AS f WHERE f.stage = s.stage ORDER BY f.service) AS services
FROM stages AS s WHERE s.stage = $1;

-- name: limit_waiting_for_locks
-- In this transaction no statement waits for longer than $1 seconds.
SELECT set_config('lock_timeout', round($1::float8 * 1000) || 'ms', true);

-- name: stop_writers_for_a_moment
-- While a stage changes its services: every row is then either committed, and found by the sweep, or leaves a mark.
LOCK TABLE results, merged_boxes, postprocessing IN SHARE ROW EXCLUSIVE MODE;

-- name: write_stage
-- Also asks for a look at all images that are there.
INSERT INTO stages (stage, swept_image_id) VALUES ($1, 0) ON CONFLICT (stage) DO UPDATE SET swept_image_id = 0;

-- name: clear_feeds
DELETE FROM feeds WHERE stage = $1;

-- name: write_feeds
INSERT INTO feeds (stage, service) SELECT $1, unnest($2::text[]);

-- name: lock_open_sweep
-- Where the look at old images goes on; nothing when it is done or another process is at it.
SELECT swept_image_id FROM stages WHERE stage = $1 AND swept_image_id IS NOT NULL FOR UPDATE SKIP LOCKED;

-- name: note_sweep
-- NULL when it has seen all.
UPDATE stages SET swept_image_id = $2 WHERE stage = $1;

-- name: count_marks
-- No further than $2.
SELECT count(*) FROM (SELECT FROM stale WHERE stage = $1 LIMIT $2) AS found;
