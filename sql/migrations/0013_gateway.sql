-- The gateway: who may use it, what they did, and the secret that its processes share.

-- A key is told once, when it is made: prefix is its beginning, which names it, and hash the SHA-256 of all of it. After
-- a rotation the key before is good until previous_until. A quota of jobs counts what is submitted with the key; one of
-- seconds counts what the tasks of its principal took since quota_since, and deleted_seconds are those of jobs that are
-- gone.
CREATE TABLE api_keys (
    prefix              text PRIMARY KEY,
    hash                bytea NOT NULL,
    previous_hash       bytea,
    previous_until      timestamptz,
    name                text NOT NULL,
    principal           text NOT NULL CHECK (principal <> ''),
    scope               text NOT NULL CHECK (scope IN ('viewer', 'operator', 'admin')),
    default_priority    smallint NOT NULL DEFAULT 0,
    highest_priority    smallint NOT NULL DEFAULT 9,
    quota_jobs          bigint CHECK (quota_jobs >= 0),
    quota_seconds       double precision CHECK (quota_seconds >= 0),
    quota_since         timestamptz NOT NULL DEFAULT clock_timestamp(),
    jobs_made           bigint NOT NULL DEFAULT 0,
    deleted_seconds     double precision NOT NULL DEFAULT 0,
    requests_per_minute integer CHECK (requests_per_minute > 0),
    created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_used_at        timestamptz,
    expires_at          timestamptz,
    revoked_at          timestamptz,
    CHECK (default_priority BETWEEN -9 AND highest_priority AND highest_priority <= 9)
) WITH (fillfactor = 70);

-- Append-only: who changed what, from what to what. key_prefix is NULL for what was asked without a key.
CREATE TABLE audit_log (
    audit_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    principal  text NOT NULL,
    key_prefix text,
    request_id text NOT NULL,
    action     text NOT NULL,
    subject    text NOT NULL,
    before     jsonb,
    after      jsonb
);
CREATE INDEX audit_log_subject ON audit_log (subject, audit_id);
CREATE INDEX audit_log_principal ON audit_log (principal, audit_id);

-- What all gateways sign with, so that a cursor of one is good at another. A version 4 UUID has 122 random bits.
CREATE TABLE gateway_secret (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    secret   bytea NOT NULL DEFAULT uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
);
INSERT INTO gateway_secret DEFAULT VALUES;

-- The SHA-256 of the request that made the job, to tell the same request from another one under the same key.
ALTER TABLE jobs ADD COLUMN request_digest text;
CREATE INDEX jobs_principal ON jobs (principal, job_id);
