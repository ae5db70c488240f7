-- Webhooks, and what is sent to them.

-- name: insert_webhook
-- No row if the principal has one to this address already that only jobs name.
INSERT INTO webhooks (principal, all_principals, url, kinds, description, secret, named_only)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (principal, url) WHERE named_only DO NOTHING RETURNING webhook_id;

-- name: find_webhook_to
-- The one of the principal $1 to the address $2; one that only jobs name before others.
SELECT webhook_id FROM webhooks WHERE principal = $1 AND url = $2 ORDER BY named_only DESC, created_at LIMIT 1;

-- name: list_webhooks
-- Those of the principal $1; NULL is any.
SELECT * FROM webhooks WHERE $1::text IS NULL OR principal = $1 ORDER BY created_at, webhook_id;

-- name: show_webhook
-- Of the principal $2; NULL is any.
SELECT * FROM webhooks WHERE webhook_id = $1 AND ($2::text IS NULL OR principal = $2);

-- name: lock_webhook
SELECT * FROM webhooks WHERE webhook_id = $1 AND ($2::text IS NULL OR principal = $2) FOR NO KEY UPDATE;

-- name: change_webhook
-- What is NULL stays; one that is enabled again starts afresh.
UPDATE webhooks
SET url = coalesce($2, url), kinds = coalesce($3, kinds), description = coalesce($4, description),
    failing_since = CASE WHEN $5 THEN NULL ELSE failing_since END,
    held_until = CASE WHEN $5 THEN NULL ELSE held_until END,
    disabled_at = CASE WHEN $5 THEN NULL WHEN NOT $5 THEN coalesce(disabled_at, clock_timestamp()) ELSE disabled_at END,
    disabled_reason = CASE WHEN $5 THEN NULL WHEN NOT $5 THEN coalesce(disabled_reason, $6) ELSE disabled_reason END
WHERE webhook_id = $1;

-- name: rotate_webhook
UPDATE webhooks
SET previous_secret = secret, previous_until = clock_timestamp() + make_interval(secs => $3), secret = $2
WHERE webhook_id = $1;

-- name: delete_webhook
WITH gone AS (DELETE FROM webhook_deliveries WHERE webhook_id = $1)
DELETE FROM webhooks WHERE webhook_id = $1;

-- name: insert_delivery
INSERT INTO webhook_deliveries (webhook_id, kind, body) VALUES ($1, $2, $3) RETURNING *;

-- name: page_of_deliveries
-- The next $4 of a webhook before the number $3, the newest first; in the state $2, NULL for any.
SELECT * FROM webhook_deliveries
WHERE webhook_id = $1 AND ($2::text IS NULL OR status = $2) AND number < $3
ORDER BY number DESC LIMIT $4;

-- name: replay_deliveries
-- Send again what was made from $2 to $3 and is in the state $4, NULL for any, or those with the ids $5; how many.
WITH again AS (
    UPDATE webhook_deliveries SET status = 'pending', tries = 0, next_at = clock_timestamp()
    WHERE webhook_id = $1 AND status <> 'pending'
      AND ($2::timestamptz IS NULL OR created_at >= $2) AND ($3::timestamptz IS NULL OR created_at < $3)
      AND ($4::text IS NULL OR status = $4) AND ($5::uuid[] IS NULL OR delivery_id = ANY ($5))
    RETURNING 1
)
SELECT count(*)::integer FROM again;

-- name: lease_webhook
-- One that has something to send, and that nobody else sends to; the one that was sent to longest ago.
UPDATE webhooks AS w SET lease = $1, lease_until = clock_timestamp() + make_interval(secs => $2)
WHERE w.webhook_id = (
    SELECT f.webhook_id FROM webhooks AS f
    WHERE f.disabled_at IS NULL AND (f.lease_until IS NULL OR f.lease_until < statement_timestamp())
      AND (f.held_until IS NULL OR f.held_until < statement_timestamp())
      AND EXISTS (SELECT FROM webhook_deliveries AS d WHERE d.webhook_id = f.webhook_id AND d.status = 'pending'
                  AND d.next_at <= statement_timestamp())
    ORDER BY f.lease_until NULLS FIRST LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
RETURNING w.webhook_id, w.url, w.secret,
          CASE WHEN w.previous_until > clock_timestamp() THEN w.previous_secret END AS old_secret;

-- name: next_delivery
-- The oldest that is due.
SELECT delivery_id, body, tries FROM webhook_deliveries
WHERE webhook_id = $1 AND status = 'pending' AND next_at <= statement_timestamp() ORDER BY number LIMIT 1;

-- name: hold_webhook
-- Renew the lease $2 for $3 seconds; no row if it was lost, or if the webhook was disabled.
UPDATE webhooks SET lease_until = clock_timestamp() + make_interval(secs => $3)
WHERE webhook_id = $1 AND lease = $2 AND disabled_at IS NULL RETURNING webhook_id;

-- name: note_webhook_health
-- For how many seconds it has failed now; no row if the lease $2 was lost.
UPDATE webhooks
SET failing_since = CASE WHEN $3 THEN NULL ELSE coalesce(failing_since, clock_timestamp()) END,
    last_success_at = CASE WHEN $3 THEN clock_timestamp() ELSE last_success_at END
WHERE webhook_id = $1 AND lease = $2
RETURNING coalesce(extract(epoch FROM clock_timestamp() - failing_since), 0)::float8;

-- name: end_delivery_try
UPDATE webhook_deliveries
SET status = $2, tries = tries + 1, next_at = clock_timestamp() + make_interval(secs => $3), http_status = $4,
    error = $5, seconds = $6, last_try_at = clock_timestamp()
WHERE delivery_id = $1;

-- name: put_webhook_off
-- Nothing is sent to it for so many seconds.
UPDATE webhooks SET held_until = clock_timestamp() + make_interval(secs => $2) WHERE webhook_id = $1;

-- name: release_webhook
UPDATE webhooks SET lease = NULL, lease_until = clock_timestamp() WHERE webhook_id = $1 AND lease = $2;

-- name: disable_webhook
UPDATE webhooks SET disabled_at = clock_timestamp(), disabled_reason = $2
WHERE webhook_id = $1 AND disabled_at IS NULL RETURNING principal;

-- name: forget_deliveries
-- Of more than $1 seconds ago.
DELETE FROM webhook_deliveries
WHERE delivery_id IN (SELECT delivery_id FROM webhook_deliveries WHERE status <> 'pending'
                      AND created_at < statement_timestamp() - make_interval(secs => $1) LIMIT 10000);
