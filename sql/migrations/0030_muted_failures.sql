-- Failures that somebody knows of: those of a service for one reason, listed apart from the others until then, or until
-- somebody lets them be heard again. Messages without an error code have the empty one.
CREATE TABLE muted_failures (
    service     text NOT NULL,
    code        text NOT NULL,
    muted_until timestamptz,
    reason      text NOT NULL DEFAULT '',
    principal   text NOT NULL,
    muted_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (service, code)
);
