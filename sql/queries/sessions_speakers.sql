-- Speakers of sessions, their words, and who claims to be whom.

-- name: read_speakers
SELECT p.*, c.claim_type, c.claimed_by, c.claimed_at, c.attributed_to, c.guest_name
FROM session_speakers AS p LEFT JOIN session_claims AS c ON c.speaker_id = p.speaker_id
WHERE p.session_id = $1 ORDER BY p.label, p.speaker_id;

-- name: read_session_counts
SELECT speaker_id, word, sum(count)::integer AS count FROM session_counts WHERE session_id = $1
GROUP BY 1, 2 ORDER BY 3 DESC, 2;

-- name: insert_speaker
INSERT INTO session_speakers (session_id, label, segments, seconds, split_from, t0, t1)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING speaker_id;

-- name: update_speaker
UPDATE session_speakers SET label = $2, segments = $3, seconds = $4 WHERE speaker_id = $1;

-- name: delete_speakers
-- Those that a new transcript does not know, with what is split off them, and what is merged into them is its own.
WITH gone AS (DELETE FROM session_speakers
              WHERE session_id = $1 AND (speaker_id = ANY ($2) OR split_from = ANY ($2)) RETURNING speaker_id),
     free AS (UPDATE session_speakers SET merged_into = NULL
              WHERE session_id = $1 AND merged_into = ANY ($2) AND NOT speaker_id = ANY ($2)
                AND NOT coalesce(split_from = ANY ($2), false))
DELETE FROM session_claims WHERE speaker_id IN (SELECT speaker_id FROM gone);

-- name: merge_speaker
UPDATE session_speakers SET merged_into = $2 WHERE speaker_id = $1;

-- name: insert_claim
-- No row if somebody has it.
INSERT INTO session_claims (speaker_id, session_id, claim_type, claimed_by, attributed_to, guest_name)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING claimed_at;

-- name: restore_claim
INSERT INTO session_claims (speaker_id, session_id, claim_type, claimed_by, attributed_to, guest_name, claimed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7::text::timestamptz);

-- name: read_claim
SELECT claim_type, claimed_by, claimed_at, attributed_to, guest_name FROM session_claims WHERE speaker_id = $1;

-- name: delete_claim
DELETE FROM session_claims WHERE speaker_id = $1;

-- name: insert_change
INSERT INTO session_changes (session_id, principal, kind, before, after) VALUES ($1, $2, $3, $4::jsonb, $5::jsonb);

-- name: last_change
SELECT change_id, principal, kind, before, after FROM session_changes
WHERE session_id = $1 AND undone_at IS NULL ORDER BY change_id DESC LIMIT 1;

-- name: note_undone
UPDATE session_changes SET undone_at = clock_timestamp() WHERE change_id = $1;

-- name: forget_changes
-- What was changed of speakers that there are no more cannot be undone.
DELETE FROM session_changes WHERE session_id = $1 AND undone_at IS NULL;

-- name: read_transcript
SELECT heard, corrected FROM session_transcripts WHERE session_id = $1;

-- name: save_transcript
INSERT INTO session_transcripts (session_id, heard, corrected) VALUES ($1, $2::jsonb, $3::jsonb)
ON CONFLICT (session_id) DO UPDATE SET heard = excluded.heard, corrected = excluded.corrected;

-- name: note_counted
UPDATE sessions SET counted_job = $2, words = $3, words_version = $4, strict_seed = $5,
       duration_seconds = coalesce($6, duration_seconds)
WHERE session_id = $1;

-- name: delete_hits
DELETE FROM session_hits WHERE session_id = $1;

-- name: insert_hits
INSERT INTO session_hits (session_id, number, speaker_id, word, raw, rule, t0, t1, confidence)
SELECT $1, place - 1, speaker, word, raw, rule, t0, t1, confidence
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::float8[], $7::float8[], $8::float4[])
     WITH ORDINALITY AS given (speaker, word, raw, rule, t0, t1, confidence, place);

-- name: list_counted_sessions
-- Those that have a transcript; with $1 only those that were counted by another list, version or mode than these.
SELECT s.session_id FROM sessions AS s JOIN session_transcripts AS t ON t.session_id = s.session_id
WHERE NOT $1 OR (s.words, s.words_version) IS DISTINCT FROM ($2::text, $3::integer) ORDER BY s.started_at, s.session_id;
