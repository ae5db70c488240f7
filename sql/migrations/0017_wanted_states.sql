-- What people want of services and steps for now, against what their settings say. Workers read it every two seconds.

-- name: a service, a step, or * for all of both. paused: no work is begun until paused_until, NULL for ever; what is
-- begun is finished. concurrency: the calls that each process makes at once to a service, NULL for what is configured.
-- version counts the changes.
CREATE TABLE wanted_states (
    name         text PRIMARY KEY,
    paused       boolean NOT NULL DEFAULT false,
    paused_until timestamptz,
    reason       text NOT NULL DEFAULT '',
    concurrency  integer CHECK (concurrency BETWEEN 1 AND 1000),
    owner        text NOT NULL DEFAULT '',
    version      bigint NOT NULL DEFAULT 0,
    changed_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
