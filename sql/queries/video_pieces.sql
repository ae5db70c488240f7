-- name: list_video_pieces
-- The segments of the job $1 that are made by one of the steps $2, with the plan of the video and their files.
SELECT t.shard, t.output -> 'video' AS video, t.output -> 'done' AS done, a.name, a.sha256
FROM steps AS s JOIN tasks AS t USING (job_id, position)
JOIN artifacts AS a ON a.job_id = t.job_id AND a.position = t.position AND a.shard = t.shard
WHERE s.job_id = $1 AND s.step = ANY ($2::text[]) AND t.status = 'succeeded'
ORDER BY t.shard, a.name;
