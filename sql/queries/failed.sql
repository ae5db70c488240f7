-- What the database knows about parked jobs.

-- name: results_of_image
SELECT service, status, error_code, error_message, worker_id, attempt, trace_id, submitted_at, result_created
FROM results WHERE image_id = $1 ORDER BY service;

-- name: mute_failure
-- Whoever mutes it again gives another reason or time.
INSERT INTO muted_failures (service, code, muted_until, reason, principal) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (service, code) DO UPDATE
SET muted_until = excluded.muted_until, reason = excluded.reason, principal = excluded.principal,
    muted_at = excluded.muted_at;

-- name: hear_failure
DELETE FROM muted_failures WHERE service = $1 AND code = $2
RETURNING service, code, muted_until, reason, principal, muted_at;

-- name: list_muted_failures
-- By the clock of the database; what is over is none.
SELECT service, code, muted_until, reason, principal, muted_at FROM muted_failures
WHERE coalesce(muted_until > clock_timestamp(), true) ORDER BY muted_at DESC, service, code;

-- name: list_resolved_failures
-- The newest $2 times that somebody threw parked jobs of one of the services $1 away, as the audit log has it.
SELECT found.at, found.principal, found.subject AS service, (found.before ->> 'jobs')::integer AS jobs,
       coalesce(found.after -> 'codes' ->> 0, '') AS code
FROM unnest($1::text[]) AS asked (service) CROSS JOIN LATERAL (
    SELECT l.audit_id, l.at, l.principal, l.subject, l.before, l.after FROM audit_log AS l
    WHERE l.subject = asked.service AND l.action = 'failed.purge' ORDER BY l.audit_id DESC LIMIT $2
) AS found
ORDER BY found.audit_id DESC LIMIT $2;

-- name: list_failed_answers
-- Images to which the service $1 has answered with the error $2: of at most $3 that its index finds, the newest $4.
WITH found AS MATERIALIZED (
    SELECT image_id, error_message, attempt, result_created FROM results
    WHERE service = $1 AND error_code = $2 AND status = 'error' LIMIT $3
), newest AS (
    SELECT * FROM found ORDER BY image_id DESC LIMIT $4
)
SELECT n.image_id, i.image_filename, n.error_message, n.attempt, n.result_created
FROM newest AS n LEFT JOIN images AS i USING (image_id) ORDER BY n.image_id DESC;
