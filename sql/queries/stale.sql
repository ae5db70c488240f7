-- Open work of the post-processors: `stale` has a mark for each change that a stage has yet to process.

-- name: claim_stale_images
-- Takes up to $2 due marks of stage $1. Call lock_images next, in the same transaction; after a crash the marks are
-- back. Reads only index entries that are due, so the size of the tables does not matter.
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
-- For each of the images $3 that are stale for stage $1: whether services that feed stage $2 have yet to answer, and
-- whether the stages $4 have open work, so it will become stale again; the ages of its first and of its last answer; and
-- the seconds until the next deferred look at it.
SELECT one AS image_id, EXISTS (SELECT FROM awaited_services(one, $2)) AS awaits_services,
       EXISTS (SELECT FROM stale AS s WHERE s.stage = ANY ($4::text[]) AND s.image_id = one) AS awaits_stages,
       coalesce(extract(epoch FROM now() - answers.first), 0)::float8 AS age,
       coalesce(extract(epoch FROM now() - answers.last), 0)::float8 AS quiet,
       (SELECT extract(epoch FROM min(s.due) - now()) FROM stale AS s
        WHERE s.stage = $1 AND s.image_id = one AND s.deferred)::float8 AS looks_in
FROM unnest($3::bigint[]) AS one
CROSS JOIN LATERAL (SELECT min(r.result_created) AS first, max(r.result_created) AS last
                    FROM results AS r WHERE r.image_id = one) AS answers;

-- name: seconds_until_due
-- Until the next mark of stage $1 is due: nothing or less if one is. A day if there is none.
SELECT coalesce(extract(epoch FROM (SELECT min(due) FROM stale WHERE stage = $1) - clock_timestamp()), 86400)::float8;

-- name: tell_of_marks
-- Asks all writers to tell this session of new marks of stage $1. 0 while one is about to commit some, or another
-- session is told of them.
SELECT pg_try_advisory_lock(hashtextextended('windmill asleep ' || $1::text, 0))::integer;

-- name: tell_no_more
SELECT pg_advisory_unlock(hashtextextended('windmill asleep ' || $1::text, 0))::integer;

-- name: find_merged_images
-- Those of the images $1 that were merged before.
SELECT image_id FROM merges WHERE image_id = ANY ($1::bigint[]);

-- name: find_enriched_images
-- Those with a box that was sent to a service before.
SELECT image_id FROM enrichments WHERE image_id = ANY ($1::bigint[]);

-- name: find_voted_images
-- Those that were voted on before.
SELECT image_id FROM votes WHERE image_id = ANY ($1::bigint[]);

-- name: find_indexed_images
-- Those that have a search row.
SELECT image_id FROM image_search WHERE image_id = ANY ($1::bigint[]);

-- name: defer_images
-- Processes each of the images $2 after its number of seconds in $3, whatever arrives until then.
INSERT INTO stale (stage, image_id, due, deferred)
SELECT $1, image_id, now() + make_interval(secs => seconds), true
FROM unnest($2::bigint[], $3::float8[]) AS later (image_id, seconds);

-- name: lock_images
-- Only one process at a time works on an image of a stage, and it reads only after the previous one has committed. So
-- the last writer has seen everything. $2 must be in ascending order to prevent deadlocks. Rows of before, while there are
-- any, are converted then.
SELECT convert_derived_rows($2::bigint[])
FROM (SELECT count(pg_advisory_xact_lock(hashtextextended('windmill ' || $1::text, one))) AS images
      FROM unnest($2::bigint[]) AS one) AS locked
WHERE images > 0;

-- name: take_further_marks
-- The read that follows sees all changes of an image so far, so one recompute serves all of its marks. Also tells
-- triggers, for the rest of the transaction, that this stage computed the rows, so it need not compute them again.
WITH visible AS (
    SELECT due, id, image_id FROM stale WHERE stage = $1 AND image_id = ANY ($2::bigint[]) FOR UPDATE SKIP LOCKED
), taken AS (
    DELETE FROM stale AS s USING visible AS v
    WHERE s.stage = $1 AND s.due = v.due AND s.id = v.id AND s.image_id = v.image_id
)
SELECT set_config('windmill.stage', $1, true);

-- name: wake_waiting_stages
-- The stages $1 look at once at those of the images $4 that they have put off, if they wait for nothing any more: neither
-- for stages, each listed in $2, nor for services that feed the one in $3.
INSERT INTO stale (stage, image_id)
SELECT d.stage, w.image_id
FROM unnest($1::text[], $2::text[], $3::text[]) AS d (stage, awaits, fed)
JOIN stale AS w ON w.stage = d.stage AND w.image_id = ANY ($4::bigint[])
               AND w.deferred AND w.tries = 0 AND w.lease IS NULL AND w.due > now()
WHERE NOT EXISTS (SELECT FROM stale AS o
                  WHERE o.stage = ANY (string_to_array(d.awaits, ',')) AND o.image_id = w.image_id)
  AND NOT EXISTS (SELECT FROM stale AS o WHERE o.stage = d.stage AND o.image_id = w.image_id AND o.due <= now())
  AND NOT EXISTS (SELECT FROM awaited_services(w.image_id, d.fed))
GROUP BY d.stage, w.image_id;

-- name: postpone_image
-- Adds a mark that is due after $3 seconds, for an image that failed for the $4th time.
INSERT INTO stale (stage, image_id, due, tries, deferred) VALUES ($1, $2, now() + make_interval(secs => $3), $4, true);

-- name: lease_stale_images
-- First of three steps in one transaction: candidates of stage $1, at most $2 due marks that no other transaction has
-- locked.
SELECT image_id, bool_or(deferred) AS deferred FROM (
    SELECT image_id, deferred FROM stale
    WHERE stage = $1 AND due <= now() ORDER BY due, id LIMIT $2 FOR UPDATE SKIP LOCKED
) AS candidates GROUP BY image_id ORDER BY image_id;

-- name: lock_free_images
-- Second: those of the images $2 that no other transaction is leasing at the moment; it waits for nobody else who does.
-- Whoever gets one reads its rows, so they are converted.
SELECT one AS image_id, convert_derived_rows(ARRAY[one]) FROM unnest($2::bigint[]) AS one
WHERE pg_try_advisory_xact_lock(hashtextextended('windmill lease ' || $1::text, one));

-- name: put_marks_off
-- Defers each of the candidates $2 by its number of seconds in $3.
WITH open AS (
    SELECT due, id, image_id FROM stale
    WHERE stage = $1 AND image_id = ANY ($2::bigint[]) AND due <= now() FOR UPDATE SKIP LOCKED
)
UPDATE stale AS s SET due = now() + make_interval(secs => later.seconds), deferred = true, lease = NULL
FROM open AS o JOIN unnest($2::bigint[], $3::float8[]) AS later (image_id, seconds) USING (image_id)
WHERE s.stage = $1 AND s.due = o.due AND s.id = o.id AND s.image_id = o.image_id;

-- name: lease_images
-- Third: defers the marks of the images $2 by $4 seconds under lease $3, and returns the images it got. Skips images
-- that are already leased; their new marks wait until that lease ends. Skips marks locked by another transaction, as
-- waiting for them could deadlock.
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
    -- A lease that expired: its holder was lost, perhaps because of this image.
    UPDATE stale AS s SET due = now() + make_interval(secs => $4), lease = $3,
                          tries = s.tries + (s.lease IS NOT NULL)::integer
    FROM open AS o
    WHERE s.stage = $1 AND s.due = o.due AND s.id = o.id AND s.image_id = o.image_id
      AND o.image_id NOT IN (SELECT image_id FROM leased)
    RETURNING s.image_id, s.tries
)
SELECT image_id, max(tries) AS tries FROM ours GROUP BY image_id ORDER BY image_id;

-- name: renew_lease
-- Extends lease $2: its marks stay deferred for another $3 seconds.
UPDATE stale SET due = now() + make_interval(secs => $3) WHERE stage = $1 AND lease = $2 AND image_id = ANY ($4::bigint[]);

-- name: hold_lease
-- Locks the marks of image $2 under lease $3, so that nobody can take the lease over before this transaction ends.
-- No row if the lease has expired and another process took it over, or has even finished the image. Also tells triggers
-- which stage writes, as take_further_marks does.
SELECT id, set_config('windmill.stage', $1, true) FROM stale WHERE stage = $1 AND image_id = $2 AND lease = $3 ORDER BY id FOR UPDATE;

-- name: end_lease
-- The image is done: deletes its marks under this lease and makes those that arrived meanwhile due at once. Deletes
-- nothing if the lease expired and another process took it over.
WITH done AS (
    DELETE FROM stale WHERE stage = $1 AND image_id = $2 AND lease = $3
)
UPDATE stale SET due = now() WHERE stage = $1 AND image_id = $2 AND lease IS NULL AND due > now();

-- name: put_lease_off
-- The image is not done: it is due again after $4 seconds.
UPDATE stale SET due = now() + make_interval(secs => $4), deferred = true, lease = NULL, tries = tries + $5
WHERE stage = $1 AND image_id = $2 AND lease = $3;

-- name: bring_marks_forward
-- Makes marks of stage $1 due that lie further ahead than anybody puts one off: $2 seconds for a leased image, $3 for one
-- that waits for more, $4 for one that failed. A new mark is due at once, but waits for the end of a lease.
WITH too_far AS (
    SELECT due, id, image_id FROM stale
    WHERE stage = $1 AND due > now() + make_interval(secs => least($2::float8, $3::float8, $4::float8))
      AND due > now() + make_interval(secs => CASE WHEN lease IS NOT NULL OR NOT deferred THEN $2::float8
                                                   WHEN tries = 0 THEN $3::float8 ELSE $4::float8 END)
    FOR UPDATE SKIP LOCKED
)
UPDATE stale AS s SET due = now() FROM too_far AS t
WHERE s.stage = $1 AND s.due = t.due AND s.id = t.id AND s.image_id = t.image_id;

-- name: read_feeds
-- The services that feed a stage; no row if the stage has never run.
SELECT ARRAY (SELECT f.service FROM feeds AS f WHERE f.stage = s.stage ORDER BY f.service) AS services
FROM stages AS s WHERE s.stage = $1;

-- name: limit_waiting_for_locks
-- In this transaction no statement waits longer than $1 seconds for a lock.
SELECT set_config('lock_timeout', round($1::float8 * 1000) || 'ms', true);

-- name: stop_writers_for_a_moment
-- While a stage changes its services. Every row is then either committed, so the sweep finds it, or leaves a mark.
LOCK TABLE images, results, merges, enrichments, votes IN SHARE ROW EXCLUSIVE MODE;

-- name: write_stage
-- Also requests a sweep of all existing images.
INSERT INTO stages (stage, swept_image_id) VALUES ($1, 0) ON CONFLICT (stage) DO UPDATE SET swept_image_id = 0;

-- name: clear_feeds
DELETE FROM feeds WHERE stage = $1;

-- name: write_feeds
INSERT INTO feeds (stage, service) SELECT $1, unnest($2::text[]);

-- name: lock_open_sweep
-- Where to continue the sweep of old images; no row if it is done or another process is doing it.
SELECT swept_image_id FROM stages WHERE stage = $1 AND swept_image_id IS NOT NULL FOR UPDATE SKIP LOCKED;

-- name: note_sweep
-- NULL when the sweep is complete.
UPDATE stages SET swept_image_id = $2 WHERE stage = $1;

-- name: count_marks
-- Counts at most $2.
SELECT count(*) FROM (SELECT FROM stale WHERE stage = $1 LIMIT $2) AS found;
