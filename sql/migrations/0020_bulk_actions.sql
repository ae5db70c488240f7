-- One action on many jobs, done by the servers page by page.

-- sees: whose jobs it may change, NULL for those of everybody. request: what is asked of each job, and of which. job_ids
-- is NULL for all that match; last_job_id: later ones are left alone.
CREATE TABLE bulk_actions (
    bulk_id     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    principal   text NOT NULL,
    sees        text,
    key_prefix  text,
    request_id  text NOT NULL,
    request     jsonb NOT NULL,
    job_ids     bigint[],
    matched     integer NOT NULL,
    last_job_id bigint NOT NULL,
    status      text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'done', 'undoing', 'undone')),
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at    timestamptz,
    undo_until  timestamptz,
    lease       uuid,
    lease_until timestamptz
);
CREATE INDEX bulk_actions_open ON bulk_actions (created_at) WHERE status IN ('running', 'undoing');

-- What became of each job, written in the transaction that changed it: so nothing is done twice, and it can be undone.
-- before: what the action changed; `kept` is what could not be undone.
CREATE TABLE bulk_items (
    bulk_id    uuid NOT NULL,
    job_id     bigint NOT NULL,
    public_id  uuid NOT NULL,
    outcome    text NOT NULL CHECK (outcome IN ('done', 'refused', 'undone', 'kept')),
    before     jsonb,
    error_code text,
    message    text,
    PRIMARY KEY (bulk_id, job_id)
) WITH (fillfactor = 90);
