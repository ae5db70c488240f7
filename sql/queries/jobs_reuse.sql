-- Results of tasks that are used again.

-- name: lock_made
-- A task that was made of $1, whose job is locked: nobody deletes it or runs it again meanwhile.
SELECT t.job_id, t.position, t.shard FROM tasks AS t JOIN jobs AS j ON j.job_id = t.job_id
WHERE t.made_of = $1 AND t.status = 'succeeded' AND j.status <> 'deleting'
ORDER BY t.ended_at DESC LIMIT 1 FOR SHARE OF j;

-- name: read_made
-- What that task has made and warned of; no row if it was run again before its job was locked.
SELECT t.output,
       (SELECT jsonb_agg(jsonb_build_object('name', a.name, 'media_type', a.media_type, 'size', a.bytes,
                                            'sha256', a.sha256, 'key', a.key))
        FROM artifacts AS a WHERE a.job_id = $1 AND a.position = $2 AND a.shard = $3) AS artifacts,
       (SELECT jsonb_agg(e.data ->> 'message' ORDER BY e.seq) FROM job_events AS e
        WHERE e.job_id = $1 AND e.kind = 'warning' AND e.position = $2 AND e.shard = $3) AS warnings
FROM tasks AS t
WHERE t.job_id = $1 AND t.position = $2 AND t.shard = $3 AND t.status = 'succeeded' AND t.made_of = $4;

-- name: note_made_of
-- What a running task is made of, unless its lease was lost.
UPDATE tasks SET made_of = $5 WHERE job_id = $1 AND position = $2 AND shard = $3 AND lease = $4;
