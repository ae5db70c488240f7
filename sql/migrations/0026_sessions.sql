-- Talk: sessions that are recorded in chunks, who spoke in them, which words, and who claims to be whom.

CREATE TABLE talk_groups (
    group_id    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name        text NOT NULL,
    invite_code text NOT NULL UNIQUE,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE talk_members (
    group_id  uuid NOT NULL,
    principal text NOT NULL,
    role      text NOT NULL CHECK (role IN ('admin', 'member')),
    joined_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (group_id, principal)
);
CREATE INDEX talk_members_principal ON talk_members (principal);

-- job: the public id of the job that works on it; NULL while it is recorded. counted_job: the one whose transcript is
-- stored. chunks: how many there must be, as whoever ended it said. Whoever changes a session or anything of it first
-- locks its row here.
CREATE TABLE sessions (
    session_id       uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    group_id         uuid,
    started_by       text NOT NULL,
    started_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_chunk_at    timestamptz,
    ended_at         timestamptz,
    expired_at       timestamptz,
    chunks           integer CHECK (chunks >= 0),
    duration_seconds double precision,
    job              uuid,
    counted_job      uuid,
    words            text,
    words_version    integer,
    strict_seed      boolean NOT NULL DEFAULT false,
    audio_dropped_at timestamptz
) WITH (fillfactor = 70);
CREATE INDEX sessions_group ON sessions (group_id, started_at) WHERE group_id IS NOT NULL;
CREATE INDEX sessions_started_by ON sessions (started_by, started_at);
CREATE INDEX sessions_recording ON sessions (started_at) WHERE job IS NULL AND expired_at IS NULL;
CREATE INDEX sessions_with_audio ON sessions (ended_at) WHERE job IS NOT NULL AND audio_dropped_at IS NULL;

-- The bytes are in the store, by digest, before the row is written.
CREATE TABLE session_chunks (
    session_id  uuid NOT NULL,
    number      integer NOT NULL CHECK (number >= 0),
    media_type  text NOT NULL,
    bytes       bigint NOT NULL,
    sha256      text COLLATE "C" NOT NULL,
    key         text COLLATE "C" NOT NULL,
    start_ms    bigint,
    duration_ms bigint,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (session_id, number)
);
CREATE INDEX session_chunks_key ON session_chunks (key);

-- Who was told that they are recorded, and by whom.
CREATE TABLE session_consents (
    session_id uuid NOT NULL,
    person     text NOT NULL,
    told_by    text NOT NULL,
    told_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (session_id, person)
);

-- One for each voice, and for each part that somebody has split off one: what the label `split_from` says between t0
-- and t1. One that is merged counts for another.
CREATE TABLE session_speakers (
    speaker_id  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    session_id  uuid NOT NULL,
    label       text NOT NULL,
    segments    integer NOT NULL DEFAULT 0,
    seconds     double precision NOT NULL DEFAULT 0,
    merged_into uuid,
    split_from  uuid,
    t0          double precision,
    t1          double precision,
    CHECK ((split_from IS NULL) = (t0 IS NULL) AND (t0 IS NULL) = (t1 IS NULL)),
    CHECK (merged_into <> speaker_id)
) WITH (fillfactor = 70);
CREATE INDEX session_speakers_session ON session_speakers (session_id, label);

-- One at most for each speaker: whoever comes second is told who was first.
CREATE TABLE session_claims (
    speaker_id    uuid PRIMARY KEY,
    session_id    uuid NOT NULL,
    claim_type    text NOT NULL CHECK (claim_type IN ('self', 'user', 'guest')),
    claimed_by    text NOT NULL,
    claimed_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    attributed_to text,
    guest_name    text,
    CHECK ((claim_type = 'guest') = (attributed_to IS NULL) AND (claim_type = 'guest') = (guest_name IS NOT NULL))
);
CREATE INDEX session_claims_session ON session_claims (session_id);
CREATE INDEX session_claims_person ON session_claims (attributed_to) WHERE attributed_to IS NOT NULL;

-- What a recogniser heard, with times and speakers: what counts are made of, again and again.
CREATE TABLE session_transcripts (
    session_id uuid PRIMARY KEY,
    heard      jsonb NOT NULL,
    corrected  jsonb NOT NULL
);

-- Each wanted word that was said, and the rule that it comes from. All counts are sums over these rows.
CREATE TABLE session_hits (
    session_id uuid NOT NULL,
    number     integer NOT NULL,
    speaker_id uuid NOT NULL,
    word       text NOT NULL,
    raw        text NOT NULL,
    rule       text,
    t0         double precision NOT NULL,
    t1         double precision NOT NULL,
    confidence real NOT NULL,
    PRIMARY KEY (session_id, number)
);
CREATE INDEX session_hits_speaker ON session_hits (speaker_id, word);

-- What people changed of the speakers of a session, with how those were before and after: what undoing goes by.
CREATE TABLE session_changes (
    change_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id uuid NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    principal  text NOT NULL,
    kind       text NOT NULL,
    before     jsonb NOT NULL,
    after      jsonb NOT NULL,
    undone_at  timestamptz
);
CREATE INDEX session_changes_session ON session_changes (session_id, change_id);

-- A session in the words of its users. It follows its job: as long as that may go on it is processing.
CREATE VIEW session_states AS
SELECT s.session_id, s.group_id, s.started_by, s.started_at, s.ended_at, s.duration_seconds, s.job, s.words,
       s.words_version, s.audio_dropped_at, s.chunks,
       CASE WHEN s.expired_at IS NOT NULL THEN 'failed'
            WHEN s.job IS NULL THEN 'recording'
            WHEN j.status IN ('failed', 'cancelled', 'expired') THEN 'failed'
            WHEN j.status NOT IN ('succeeded', 'deleting') THEN 'processing'
            WHEN s.counted_job IS DISTINCT FROM s.job THEN 'failed'
            WHEN EXISTS (SELECT FROM session_speakers AS p
                         WHERE p.session_id = s.session_id AND p.merged_into IS NULL
                           AND NOT EXISTS (SELECT FROM session_claims AS c WHERE c.speaker_id = p.speaker_id))
            THEN 'ready_for_claiming'
            ELSE 'completed' END AS status,
       CASE WHEN s.expired_at IS NOT NULL THEN 'nobody has ended the recording'
            WHEN j.status IN ('failed', 'cancelled', 'expired') THEN coalesce(j.message, j.status) END AS error_message
FROM sessions AS s LEFT JOIN jobs AS j ON j.public_id = s.job;

-- The wanted words of each speaker, with those of all that are merged into one, and whom they are credited to.
CREATE VIEW session_counts AS
SELECT p.session_id, coalesce(p.merged_into, p.speaker_id) AS speaker_id, h.word, c.claim_type, c.attributed_to,
       c.guest_name, count(*)::integer AS count
FROM session_hits AS h
JOIN session_speakers AS p ON p.speaker_id = h.speaker_id
LEFT JOIN session_claims AS c ON c.speaker_id = coalesce(p.merged_into, p.speaker_id)
GROUP BY 1, 2, 3, 4, 5, 6;
