-- Sessions and their chunks.

-- name: insert_session
INSERT INTO sessions (group_id, started_by, words, strict_seed) VALUES ($1, $2, $3, $4) RETURNING session_id;

-- name: lock_session
SELECT * FROM sessions WHERE session_id = $1 FOR NO KEY UPDATE;

-- name: hold_session
-- Until the transaction ends nobody adds a chunk.
SELECT started_at FROM sessions WHERE session_id = $1 FOR SHARE;

-- name: find_session
SELECT * FROM session_states WHERE session_id = $1;

-- name: page_of_sessions
-- At most $5 after the first $6 of the group $2 and the status $3, NULL for any, that the principal $1 may see, NULL for
-- all, the newest first; with the words that are credited to $4, and those of everybody.
SELECT s.*, (SELECT count(*)::integer FROM session_speakers AS p
             WHERE p.session_id = s.session_id AND p.merged_into IS NULL) AS total_speakers,
       (SELECT coalesce(sum(c.count), 0)::integer FROM session_counts AS c
        WHERE c.session_id = s.session_id AND c.attributed_to = $4) AS my_total_words,
       (SELECT count(*)::integer FROM session_hits AS h WHERE h.session_id = s.session_id) AS group_total_words,
       (SELECT g.name FROM talk_groups AS g WHERE g.group_id = s.group_id) AS group_name,
       ARRAY(SELECT DISTINCT coalesce(c.attributed_to, c.guest_name) FROM session_claims AS c
             WHERE c.session_id = s.session_id ORDER BY 1) AS people
FROM session_states AS s
WHERE ($2::uuid IS NULL OR s.group_id = $2) AND ($3::text IS NULL OR s.status = $3)
  AND ($1::text IS NULL OR (s.group_id IS NULL AND s.started_by = $1)
       OR s.group_id IN (SELECT m.group_id FROM talk_members AS m WHERE m.principal = $1))
ORDER BY s.started_at DESC, s.session_id LIMIT $5 OFFSET $6;

-- name: insert_chunk
-- No row if there is one with this number.
INSERT INTO session_chunks (session_id, number, media_type, bytes, sha256, key, start_ms, duration_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING number;

-- name: note_chunk
UPDATE sessions SET last_chunk_at = clock_timestamp(), expired_at = NULL WHERE session_id = $1;

-- name: read_chunk
SELECT number, media_type, bytes, sha256, start_ms, duration_ms FROM session_chunks
WHERE session_id = $1 AND number = $2;

-- name: read_chunks
SELECT number, media_type, bytes, sha256, start_ms, duration_ms FROM session_chunks
WHERE session_id = $1 ORDER BY number;

-- name: next_chunk_number
SELECT coalesce(max(number) + 1, 0) FROM session_chunks WHERE session_id = $1;

-- name: missing_chunks
-- Numbers below the greatest, or below as many as there must be, that have not come; at most $2.
SELECT n.number FROM sessions AS s,
     generate_series(0, greatest(coalesce(s.chunks, 0),
                                 (SELECT coalesce(max(number) + 1, 0) FROM session_chunks WHERE session_id = $1)) - 1)
     AS n (number)
WHERE s.session_id = $1
  AND NOT EXISTS (SELECT FROM session_chunks AS c WHERE c.session_id = $1 AND c.number = n.number)
ORDER BY 1 LIMIT $2;

-- name: end_session
UPDATE sessions SET ended_at = coalesce(ended_at, clock_timestamp()), expired_at = NULL, job = $2,
       chunks = coalesce($3, chunks), duration_seconds = coalesce($4, duration_seconds)
WHERE session_id = $1;

-- name: has_join_begun
-- Whether a worker has ever begun with a task of the job.
SELECT EXISTS (SELECT FROM tasks AS t JOIN jobs AS j ON j.job_id = t.job_id WHERE j.public_id = $1 AND t.attempt > 0)
       OR NOT EXISTS (SELECT FROM jobs WHERE public_id = $1 AND status IN ('queued', 'running', 'waiting', 'paused'));

-- name: insert_session_consents
INSERT INTO session_consents (session_id, person, told_by) SELECT $1, unnest($2::text[]), $3 ON CONFLICT DO NOTHING;

-- name: read_session_steps
-- The steps of the job of a session, and how much of each is done.
SELECT s.step, CASE WHEN s.status IN ('succeeded', 'skipped') THEN 1.0
                    WHEN s.status = 'running' AND s.planned > 0 THEN least(
                        (s.settled + coalesce((SELECT sum(t.progress) FROM tasks AS t
                                               WHERE t.job_id = s.job_id AND t.position = s.position
                                                 AND t.status IN ('queued', 'running', 'waiting')), 0)) / s.planned, 0.999)
                    ELSE 0.0 END::double precision AS done
FROM steps AS s JOIN jobs AS j ON j.job_id = s.job_id WHERE j.public_id = $1 ORDER BY s.position;

-- name: find_session_file
-- A file that the job $1 has made, by its name.
SELECT a.position, a.shard, a.name, a.media_type, a.bytes, a.key FROM artifacts AS a JOIN jobs AS j ON j.job_id = a.job_id
WHERE j.public_id = $1 AND a.name = $2 AND a.position >= 0 ORDER BY a.position DESC LIMIT 1;

-- name: list_session_files
-- The files that the job $1 has made; of samples also where in the talk they begin.
SELECT a.name, (t.output -> 'starts' ->> a.name)::double precision AS start
FROM artifacts AS a JOIN jobs AS j ON j.job_id = a.job_id
LEFT JOIN tasks AS t ON t.job_id = a.job_id AND t.position = a.position AND t.shard = a.shard
WHERE j.public_id = $1 AND a.position >= 0;

-- name: expire_recordings
-- Those of which nothing has come for so many seconds.
UPDATE sessions SET expired_at = clock_timestamp()
WHERE job IS NULL AND expired_at IS NULL
  AND coalesce(last_chunk_at, started_at) < clock_timestamp() - make_interval(secs => $1) RETURNING session_id;

-- name: next_session_with_audio
-- One that is counted, and whose sound is still there; nobody else has it locked.
SELECT s.session_id, s.job FROM sessions AS s JOIN jobs AS j ON j.public_id = s.job
WHERE s.job IS NOT NULL AND s.audio_dropped_at IS NULL AND s.counted_job = s.job AND j.status = 'succeeded'
ORDER BY s.ended_at LIMIT 1 FOR NO KEY UPDATE OF s SKIP LOCKED;

-- name: drop_chunks
DELETE FROM session_chunks WHERE session_id = $1 RETURNING key;

-- name: drop_sound
-- The sound that the job $1 has made; with $2 its samples stay.
DELETE FROM artifacts AS a USING jobs AS j
WHERE j.public_id = $1 AND a.job_id = j.job_id AND a.media_type LIKE 'audio/%'
  AND NOT ($2 AND a.name LIKE 'sample!_%' ESCAPE '!') RETURNING a.key;

-- name: note_dropped_audio
UPDATE sessions SET audio_dropped_at = clock_timestamp() WHERE session_id = $1;

-- name: keys_nobody_has
SELECT k.key FROM unnest($1::text[]) AS k (key)
WHERE NOT EXISTS (SELECT FROM artifacts AS a WHERE a.key = k.key COLLATE "C")
  AND NOT EXISTS (SELECT FROM assets AS s WHERE s.key = k.key COLLATE "C")
  AND NOT EXISTS (SELECT FROM session_chunks AS c WHERE c.key = k.key COLLATE "C");

-- name: last_chunk
SELECT number, sha256, duration_ms, extract(epoch FROM clock_timestamp() - received_at)::float8 AS age_seconds
FROM session_chunks WHERE session_id = $1 ORDER BY number DESC LIMIT 1;
