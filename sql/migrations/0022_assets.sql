-- Files that somebody has sent before a job needs them. The bytes are in the store, by digest, as those of jobs are.

CREATE TABLE assets (
    key        text COLLATE "C" NOT NULL,
    principal  text NOT NULL,
    name       text NOT NULL,
    media_type text NOT NULL,
    bytes      bigint NOT NULL,
    sha256     text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (key, principal)
);
CREATE INDEX assets_digest ON assets (sha256);
