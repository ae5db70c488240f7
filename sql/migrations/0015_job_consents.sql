-- What somebody has confirmed before a job was made: the sentence, why it was asked for, who confirmed it and when. A
-- job that is made of another one with the same files takes these along.
CREATE TABLE job_consents (
    job_id   bigint NOT NULL,
    text     text NOT NULL,
    reason   text NOT NULL,
    given_by text NOT NULL,
    given_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (job_id, text)
);
