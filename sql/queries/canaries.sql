-- Whether services still find what they found before, and the answers of those that do not.

-- name: note_canary_found
-- The service $1 found, $2 seconds ago, what its canary shows. After a blindness this returns whether its answers can
-- be judged: $3 seconds after the recovery, when those that were under way are committed.
INSERT INTO canaries AS known (service, found_at) VALUES ($1, clock_timestamp() - make_interval(secs => $2))
ON CONFLICT (service) DO UPDATE SET
    found_at = CASE WHEN known.blind_since IS NULL THEN greatest(known.found_at, excluded.found_at) ELSE known.found_at END,
    recovered_at = CASE WHEN known.blind_since IS NOT NULL THEN coalesce(known.recovered_at, clock_timestamp()) END
RETURNING blind_since IS NOT NULL AS doubtful,
          coalesce(recovered_at <= clock_timestamp() - make_interval(secs => $3), false) AS settled;

-- name: note_canary_missed
-- A row only if the service found it before: another has never been able to.
UPDATE canaries SET blind_since = coalesce(blind_since, clock_timestamp()), recovered_at = NULL WHERE service = $1
RETURNING found_at;

-- name: mark_blind_answers
-- Answers of the service $1 that contain nothing of the kind $2 and came since it last found its canary become errors,
-- and are noted to be asked for again.
WITH doubtful AS (
    SELECT r.image_id FROM results AS r JOIN canaries AS c USING (service)
    WHERE r.service = $1 AND r.status = 'success' AND r.result_created >= c.found_at
      AND r.result_created <= c.recovered_at + make_interval(secs => $3) AND finds_nothing(r.data -> 'predictions', $2)
), marked AS (
    UPDATE results AS r
    SET result_id = nextval('result_ids'), status = 'error', data = NULL, error_code = 'SERVICE_BLIND',
        error_message = 'the service found nothing while it was blind; it is asked again'
    FROM doubtful AS d WHERE r.service = $1 AND r.image_id = d.image_id
    RETURNING r.image_id
)
INSERT INTO blind_answers (service, image_id) SELECT $1, image_id FROM marked ON CONFLICT DO NOTHING;

-- name: delete_blind_enrichments
-- The same for boxes: without its row a box is due again.
WITH doubtful AS (
    SELECT e.image_id, json_agg(one) FILTER (WHERE NOT judged.is_doubtful) AS kept
    FROM canaries AS c JOIN enrichments AS e ON e.updated >= c.found_at
    CROSS JOIN LATERAL json_array_elements(e.answers) AS one
    CROSS JOIN LATERAL (
        SELECT one ->> 'service' = $1 AND one ->> 'error_code' IS NULL
           AND (one ->> 'result_created')::timestamptz
               BETWEEN c.found_at AND c.recovered_at + make_interval(secs => $3)
           AND finds_nothing(one -> 'data' -> 'predictions', $2) AS is_doubtful
    ) AS judged
    WHERE c.service = $1 GROUP BY e.image_id HAVING bool_or(judged.is_doubtful)
), gone AS (
    DELETE FROM enrichments AS e USING doubtful AS d WHERE e.image_id = d.image_id AND d.kept IS NULL
)
UPDATE enrichments AS e SET answers = d.kept, updated = clock_timestamp() FROM doubtful AS d
WHERE e.image_id = d.image_id AND d.kept IS NOT NULL;

-- name: end_blindness
-- Since the recovery, and not since now: an address that only this process knows to be blind may have answered others.
UPDATE canaries SET found_at = recovered_at, blind_since = NULL, recovered_at = NULL WHERE service = $1;

-- name: take_blind_answers
-- Up to $2 images to ask the services $1 about again; gone once the transaction that publishes them commits.
WITH taken AS (
    DELETE FROM blind_answers WHERE (service, image_id) IN (
        SELECT service, image_id FROM blind_answers WHERE service = ANY ($1::text[]) LIMIT $2 FOR UPDATE SKIP LOCKED
    ) RETURNING service, image_id
)
SELECT t.service, i.image_id, i.image_filename, i.image_path, i.image_url
FROM taken AS t LEFT JOIN images AS i USING (image_id);

-- name: blind_answers_exist
SELECT EXISTS (SELECT FROM blind_answers WHERE service = ANY ($1::text[]));
