-- Requests that make many things at once are made once under a key; batches of images; webhooks that jobs name.

-- The key names the request, and the digest tells it from another one under the same key.
ALTER TABLE bulk_actions
    ADD COLUMN idempotency_key text,
    ADD COLUMN request_digest  text;
CREATE UNIQUE INDEX bulk_actions_idempotency ON bulk_actions (principal, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

-- A batch of images asks these services for them: `selection` says whether also those that have answered before.
ALTER TABLE batches
    ADD COLUMN idempotency_key text,
    ADD COLUMN request_digest  text,
    ADD COLUMN services        text[],
    ADD COLUMN selection       text;
CREATE UNIQUE INDEX batches_idempotency ON batches (principal, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- Its items are images, which have answers and no job; submitted_at is when they were put into the queues.
ALTER TABLE batch_items
    ADD COLUMN image_id     bigint,
    ADD COLUMN submitted_at timestamptz;
DROP INDEX batch_items_open;
CREATE INDEX batch_items_open ON batch_items (batch_id, number)
    WHERE job_id IS NULL AND error_code IS NULL AND submitted_at IS NULL;

-- The images of a batch after a number, each with what has become of it. A copy has the answers of its original.
CREATE FUNCTION batch_images(of_batch uuid, after_number integer, most integer)
RETURNS TABLE (number integer, image_id bigint, status text, answered integer, failed integer, asked integer,
               answered_at timestamptz)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT i.number, i.image_id,
           CASE WHEN m.image_id IS NULL THEN 'removed' WHEN i.error_code IS NOT NULL THEN 'cancelled'
                WHEN i.submitted_at IS NULL THEN 'pending' WHEN r.answered < cardinality(b.services) THEN 'running'
                WHEN r.failed > 0 THEN 'failed' ELSE 'succeeded' END,
           r.answered, r.failed, cardinality(b.services), r.answered_at
    FROM batches AS b JOIN batch_items AS i ON i.batch_id = b.batch_id
    LEFT JOIN images AS m ON m.image_id = i.image_id
    CROSS JOIN LATERAL (
        SELECT count(*)::integer AS answered, count(a.error_code)::integer AS failed,
               max(a.result_created) AS answered_at
        FROM results AS a
        WHERE a.image_id = coalesce(m.original_id, m.image_id) AND a.service = ANY (b.services)
          AND (b.selection <> 'all' OR a.submitted_at >= i.submitted_at)) AS r
    WHERE b.batch_id = of_batch AND i.number > after_number
    ORDER BY i.number LIMIT most
$$;

-- named_only: it is told of no jobs but those that name it.
ALTER TABLE webhooks ADD COLUMN named_only boolean NOT NULL DEFAULT false;
CREATE UNIQUE INDEX webhooks_named ON webhooks (principal, url) WHERE named_only;
ALTER TABLE jobs ADD COLUMN webhook_id uuid;

CREATE OR REPLACE FUNCTION tell_webhooks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM webhooks) THEN
        INSERT INTO webhook_deliveries (webhook_id, kind, body)
        SELECT w.webhook_id, 'job.' || told.kind,
               json_build_object('type', 'job.' || told.kind, 'timestamp', told.at, 'data', json_build_object(
                   'job', j.public_id, 'seq', told.seq, 'preset', j.preset, 'status', j.status,
                   'progress', j.progress, 'error_code', j.error_code))::text
        FROM told JOIN jobs AS j ON j.job_id = told.job_id JOIN webhooks AS w
            ON told.kind = ANY (w.kinds) AND w.disabled_at IS NULL
           AND (w.webhook_id = j.webhook_id OR (NOT w.named_only AND (w.all_principals OR w.principal = j.principal)))
        ORDER BY told.event_id;
    END IF;
    RETURN NULL;
END $$;
