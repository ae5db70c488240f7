-- Webhooks: who is told of what happens to jobs, and what each was told.

-- kinds: the events of a job's log that are sent. all_principals: of the jobs of everybody. After a rotation messages
-- carry the signature of the secret before as well, until previous_until. failing_since: the first failure after the
-- last success; nothing is sent until held_until. The lease is that of the one process that sends to it.
CREATE TABLE webhooks (
    webhook_id      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    principal       text NOT NULL,
    all_principals  boolean NOT NULL DEFAULT false,
    url             text NOT NULL,
    kinds           text[] NOT NULL,
    description     text NOT NULL DEFAULT '',
    secret          bytea NOT NULL,
    previous_secret bytea,
    previous_until  timestamptz,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_success_at timestamptz,
    failing_since   timestamptz,
    held_until      timestamptz,
    disabled_at     timestamptz,
    disabled_reason text,
    lease           uuid,
    lease_until     timestamptz
) WITH (fillfactor = 70);

-- The outbox: written in the transaction that writes the event. A row is sent until it is delivered, or given up after
-- days.
CREATE TABLE webhook_deliveries (
    delivery_id  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    number       bigint GENERATED ALWAYS AS IDENTITY,
    webhook_id   uuid NOT NULL,
    kind         text NOT NULL,
    body         text NOT NULL,
    status       text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed')),
    tries        integer NOT NULL DEFAULT 0,
    next_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    http_status  integer,
    error        text,
    seconds      real,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_try_at  timestamptz
) WITH (fillfactor = 70);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_at) WHERE status = 'pending';
CREATE INDEX webhook_deliveries_list ON webhook_deliveries (webhook_id, number);
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (created_at) WHERE status <> 'pending';

-- Whoever writes an event tells the webhooks in the same statement, and nobody can forget to. The message says little:
-- who may see the job asks for the rest.
CREATE FUNCTION tell_webhooks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM webhooks) THEN
        INSERT INTO webhook_deliveries (webhook_id, kind, body)
        SELECT w.webhook_id, 'job.' || told.kind,
               json_build_object('type', 'job.' || told.kind, 'timestamp', told.at, 'data', json_build_object(
                   'job', j.public_id, 'seq', told.seq, 'preset', j.preset, 'status', j.status,
                   'progress', j.progress, 'error_code', j.error_code))::text
        FROM told JOIN jobs AS j ON j.job_id = told.job_id JOIN webhooks AS w
            ON told.kind = ANY (w.kinds) AND (w.all_principals OR w.principal = j.principal) AND w.disabled_at IS NULL
        ORDER BY told.event_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER tell_webhooks AFTER INSERT ON job_events REFERENCING NEW TABLE AS told
    FOR EACH STATEMENT EXECUTE FUNCTION tell_webhooks();
