-- Batches: many jobs that are asked for at once, and made by the servers.

-- unfinished: whether the servers have something to do: jobs to make, or to cancel.
CREATE TABLE batches (
    batch_id     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    principal    text NOT NULL,
    sees         text,
    key_prefix   text,
    request_id   text NOT NULL,
    name         text NOT NULL DEFAULT '',
    items        integer NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    cancelled_at timestamptz,
    unfinished   boolean NOT NULL DEFAULT true,
    lease        uuid,
    lease_until  timestamptz
);
CREATE INDEX batches_unfinished ON batches (created_at) WHERE unfinished;
CREATE INDEX batches_principal ON batches (principal, created_at);

-- One for each job: it has a job, or an error that kept it from having one.
CREATE TABLE batch_items (
    batch_id   uuid NOT NULL,
    number     integer NOT NULL,
    custom_id  text,
    request    jsonb NOT NULL,
    job_id     bigint,
    public_id  uuid,
    error_code text,
    message    text,
    PRIMARY KEY (batch_id, number)
) WITH (fillfactor = 80);
CREATE INDEX batch_items_open ON batch_items (batch_id, number) WHERE job_id IS NULL AND error_code IS NULL;
