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

-- name: read_transcript_part
-- The words of the part $2, of $4 words each; without $2 of the part in which something is said $3 seconds after the
-- beginning. With the number of all words.
WITH words AS MATERIALIZED (
    SELECT w.said, w.place - 1 AS place
    FROM session_transcripts AS t, jsonb_array_elements(t.corrected -> 'words') WITH ORDINALITY AS w (said, place)
    WHERE t.session_id = $1),
whole AS (SELECT count(*) AS total, count(*) FILTER (WHERE (said ->> 't0')::float8 <= $3::float8) AS begun FROM words)
SELECT w.said, w.place, h.total FROM words AS w, whole AS h
WHERE w.place / $4::bigint = least(coalesce($2::bigint, greatest(h.begun - 1, 0) / $4::bigint), (h.total - 1) / $4::bigint)
ORDER BY w.place;

-- name: read_hits
-- Wanted words from $2 to $3 seconds; of the word $4 and the speaker $5 alone, NULL for any. At most $6.
SELECT coalesce(p.merged_into, p.speaker_id) AS speaker_id, h.word, h.raw, h.rule, h.t0, h.t1, h.confidence
FROM session_hits AS h JOIN session_speakers AS p ON p.speaker_id = h.speaker_id
WHERE h.session_id = $1 AND h.t0 BETWEEN $2::float8 AND $3::float8 AND ($4::text IS NULL OR h.word = $4)
  AND ($5::uuid IS NULL OR coalesce(p.merged_into, p.speaker_id) = $5)
ORDER BY h.t0, h.number LIMIT $6;

-- name: read_corrections
-- What rules have made of what was heard, the most frequent first, each with its first seconds.
SELECT rule, raw, word, count(*)::integer AS times, min(confidence)::float8 AS least_confidence,
       (array_agg(t0 ORDER BY t0))[1:5] AS seconds
FROM session_hits WHERE session_id = $1 AND rule IS NOT NULL GROUP BY rule, raw, word ORDER BY 4 DESC, 3, 2 LIMIT $2;

-- name: read_session_consents
SELECT person FROM session_consents WHERE session_id = $1 ORDER BY person LIMIT $2;
