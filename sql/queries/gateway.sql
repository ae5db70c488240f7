-- Keys of the gateway, and the record of what was done with them.

-- name: gateway_tables_are_there
SELECT FROM api_keys, audit_log, gateway_secret, wanted_states, jobs, steps, tasks, job_events, artifacts, assets,
            webhooks, webhook_deliveries, bulk_actions, bulk_items, batches, batch_items, sessions, session_chunks,
            session_speakers, session_claims, session_transcripts, session_hits, session_changes, session_consents,
            talk_groups, talk_members, muted_failures
WHERE false;

-- name: read_gateway_secret
SELECT secret FROM gateway_secret;

-- name: is_there_any_key
-- Also one that was revoked: where keys were in use, nobody is let in without one again.
SELECT EXISTS (SELECT FROM api_keys);

-- name: find_key
SELECT *, revoked_at IS NOT NULL AS revoked, coalesce(expires_at <= clock_timestamp(), false) AS expired,
       CASE WHEN previous_until > clock_timestamp() THEN previous_hash END AS old_hash
FROM api_keys WHERE prefix = $1;

-- name: lock_key
SELECT *, revoked_at IS NOT NULL AS revoked, coalesce(expires_at <= clock_timestamp(), false) AS expired,
       CASE WHEN previous_until > clock_timestamp() THEN previous_hash END AS old_hash
FROM api_keys WHERE prefix = $1 FOR NO KEY UPDATE;

-- name: lock_good_admin_keys
-- In one order, so that two who lock them never wait for each other.
SELECT prefix FROM api_keys
WHERE scope = 'admin' AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())
ORDER BY prefix FOR NO KEY UPDATE;

-- name: list_keys
SELECT *, revoked_at IS NOT NULL AS revoked, coalesce(expires_at <= clock_timestamp(), false) AS expired,
       NULL::bytea AS old_hash
FROM api_keys ORDER BY created_at, prefix;

-- name: note_key_use
-- At most once a minute, so that a busy key does not write with each request.
UPDATE api_keys SET last_used_at = clock_timestamp()
WHERE prefix = $1 AND (last_used_at IS NULL OR last_used_at < clock_timestamp() - interval '1 minute');

-- name: insert_key
INSERT INTO api_keys (prefix, hash, name, principal, scope, default_priority, highest_priority, quota_jobs,
                      quota_seconds, requests_per_minute, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: rotate_key
UPDATE api_keys SET previous_hash = hash, previous_until = clock_timestamp() + make_interval(secs => $3), hash = $2
WHERE prefix = $1;

-- name: revoke_key
UPDATE api_keys SET revoked_at = coalesce(revoked_at, clock_timestamp()) WHERE prefix = $1;

-- name: charge_key
-- Count a job that is made with the key, if its quota is not spent; else no row.
UPDATE api_keys SET jobs_made = jobs_made + 1
WHERE prefix = $1 AND (quota_jobs IS NULL OR jobs_made < quota_jobs)
RETURNING jobs_made;

-- name: read_seconds_left
-- What is left of the quota of seconds of the key.
SELECT k.quota_seconds - k.deleted_seconds
       - coalesce((SELECT sum(s.ran) FROM jobs AS j JOIN steps AS s ON s.job_id = j.job_id
                   WHERE j.principal = k.principal AND j.created_at >= k.quota_since), 0)
FROM api_keys AS k WHERE k.prefix = $1;

-- name: write_audit
INSERT INTO audit_log (principal, key_prefix, request_id, action, subject, before, after)
VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7::jsonb);

-- name: page_of_audit
-- The next $5 before the one with the id $4, the newest first; NULL is any principal $1, subject $2 and action $3.
SELECT audit_id, at, principal, key_prefix, request_id, action, subject, before, after FROM audit_log
WHERE ($1::text IS NULL OR principal = $1) AND ($2::text IS NULL OR subject = $2)
  AND ($3::text IS NULL OR action = $3) AND audit_id < $4
ORDER BY audit_id DESC LIMIT $5;
