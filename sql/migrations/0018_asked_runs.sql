-- Runs that were asked for over HTTP: a gateway publishes them, and another one goes on if it ends.

-- principal: who asked; NULL for the runs of producers. The key names the request, and the digest tells it from another
-- one under the same key. A run that was cancelled ends where it was.
ALTER TABLE runs
    ADD COLUMN principal       text,
    ADD COLUMN idempotency_key text,
    ADD COLUMN request_digest  text,
    ADD COLUMN cancelled_at    timestamptz;
CREATE UNIQUE INDEX runs_idempotency ON runs (principal, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX runs_asked ON runs (run_id) WHERE principal IS NOT NULL AND finished_at IS NULL;
CREATE INDEX runs_principal ON runs (principal, run_id) WHERE principal IS NOT NULL;
