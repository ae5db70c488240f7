-- Files of jobs; the bytes are in the store.

-- name: read_artifacts
-- The files of the job $1 that belong to the positions $2.
SELECT position, shard, name, media_type, bytes, key FROM artifacts
WHERE job_id = $1 AND position = ANY ($2::smallint[]) ORDER BY position, shard, name;

-- name: find_artifact
-- A file that a job has, or that somebody has sent.
(SELECT position, shard, name, media_type, bytes, key FROM artifacts WHERE key = $1 COLLATE "C" LIMIT 1)
UNION ALL
(SELECT (-1)::smallint, 0, name, media_type, bytes, key FROM assets WHERE key = $1 LIMIT 1)
UNION ALL
(SELECT (-1)::smallint, 0, 'chunk', media_type, bytes, key FROM session_chunks WHERE key = $1 LIMIT 1)
LIMIT 1;

-- name: list_recorded_keys
-- The next $2 keys after $1, each once.
SELECT key, max(bytes) AS bytes
FROM ((SELECT key COLLATE "C" AS key, max(bytes) AS bytes FROM artifacts WHERE key > $1 COLLATE "C"
       GROUP BY 1 ORDER BY 1 LIMIT $2)
      UNION ALL
      (SELECT key, max(bytes) FROM assets WHERE key > $1 COLLATE "C" GROUP BY 1 ORDER BY 1 LIMIT $2)
      UNION ALL
      (SELECT key, max(bytes) FROM session_chunks WHERE key > $1 COLLATE "C" GROUP BY 1 ORDER BY 1 LIMIT $2)) AS found
GROUP BY 1 ORDER BY 1 LIMIT $2;

-- name: list_artifacts
-- The files of the job $1 with the steps that have made them; NULL for those that it was submitted with.
SELECT coalesce(s.parameters ->> 'name', s.step) AS step, a.shard, a.name, a.media_type, a.bytes, a.sha256, a.created_at
FROM artifacts AS a LEFT JOIN steps AS s ON s.job_id = a.job_id AND s.position = a.position
WHERE a.job_id = $1 ORDER BY a.position, a.shard, a.name;

-- name: page_of_artifacts
-- The next $5 files of the job $1 after the one at ($2, $3, $4).
SELECT coalesce(s.parameters ->> 'name', s.step) AS step, a.position, a.shard, a.name, a.media_type, a.bytes, a.sha256,
       a.created_at
FROM artifacts AS a LEFT JOIN steps AS s ON s.job_id = a.job_id AND s.position = a.position
WHERE a.job_id = $1 AND (a.position, a.shard, a.name) > ($2::smallint, $3::integer, $4::text)
ORDER BY a.position, a.shard, a.name LIMIT $5;

-- name: find_visible_artifact
-- A file with this key that a job of the principal $2 has, or that they have sent; NULL is any.
(SELECT a.position, a.shard, a.name, a.media_type, a.bytes, a.key
 FROM artifacts AS a JOIN jobs AS j ON j.job_id = a.job_id
 WHERE a.key = $1 COLLATE "C" AND ($2::text IS NULL OR j.principal = $2) LIMIT 1)
UNION ALL
(SELECT (-1)::smallint, 0, name, media_type, bytes, key FROM assets
 WHERE key = $1 AND ($2::text IS NULL OR principal = $2) LIMIT 1)
LIMIT 1;
