-- Runs and batches have an end, which readers of events and webhooks are told once.

-- Told in the stream of events: `xact` and `event_id` are its place there, among those of jobs.
CREATE TABLE ends (
    event_id  bigint NOT NULL DEFAULT nextval(pg_get_serial_sequence('job_events', 'event_id')),
    xact      xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    principal text NOT NULL,
    kind      text NOT NULL,
    run_id    bigint UNIQUE,
    batch_id  uuid UNIQUE,
    data      jsonb NOT NULL,
    PRIMARY KEY (xact, event_id),
    CHECK (num_nonnulls(run_id, batch_id) = 1)
);

-- What was published whole, or made, before there were ends is told of no more.
ALTER TABLE runs ADD COLUMN ended_at timestamptz;
UPDATE runs SET ended_at = finished_at WHERE principal IS NOT NULL AND finished_at IS NOT NULL;
CREATE INDEX runs_without_end ON runs (run_id) WHERE principal IS NOT NULL AND ended_at IS NULL;
ALTER TABLE batches ADD COLUMN ended_at timestamptz;
UPDATE batches SET ended_at = clock_timestamp() WHERE NOT unfinished;
CREATE INDEX batches_without_end ON batches (created_at) WHERE ended_at IS NULL;

-- Webhooks are told in the statement that writes an end, as they are of jobs.
CREATE FUNCTION tell_webhooks_of_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_deliveries (webhook_id, kind, body)
    SELECT w.webhook_id, told.kind,
           json_build_object('type', told.kind, 'timestamp', told.at, 'data',
               jsonb_build_object('run', told.run_id, 'batch', told.batch_id) || told.data)::text
    FROM told JOIN webhooks AS w
        ON told.kind = ANY (w.kinds) AND w.disabled_at IS NULL AND NOT w.named_only
       AND (w.all_principals OR w.principal = told.principal)
    ORDER BY told.event_id;
    RETURN NULL;
END $$;
CREATE TRIGGER tell_webhooks AFTER INSERT ON ends REFERENCING NEW TABLE AS told
    FOR EACH STATEMENT EXECUTE FUNCTION tell_webhooks_of_ends();
