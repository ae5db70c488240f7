-- Jobs as the interfaces of other systems tell of them: where a job stands, what it was given and what it has made: a
-- video rather than the pictures of it, which are made later.
CREATE VIEW job_outlines AS
SELECT j.job_id, j.principal, j.public_id, j.preset, j.status, j.progress, j.error_code, j.message, j.warnings,
       coalesce(j.parameters ->> 'quality', '') AS quality, j.created_at, j.started_at, j.ended_at,
       greatest(j.created_at, j.started_at, j.progress_at, j.ended_at) AS updated_at, given.sha256 AS given,
       coalesce(video.sha256, made.sha256) AS made, coalesce(video.media_type, made.media_type) AS media_type,
       counted.stats
FROM jobs AS j
LEFT JOIN LATERAL (SELECT sha256 FROM artifacts AS a WHERE a.job_id = j.job_id AND a.position = -1
                   ORDER BY a.shard, a.name LIMIT 1) AS given ON true
LEFT JOIN LATERAL (SELECT sha256, media_type FROM artifacts AS a WHERE a.job_id = j.job_id AND a.position >= 0
                   ORDER BY a.position DESC, a.shard, a.name LIMIT 1) AS made ON true
LEFT JOIN LATERAL (SELECT a.sha256, a.media_type FROM steps AS s JOIN artifacts AS a USING (job_id, position)
                   WHERE s.job_id = j.job_id AND s.step = 'video_stitch' AND a.name = 'video.mp4' LIMIT 1) AS video ON true
LEFT JOIN LATERAL (SELECT t.output -> 'stats' AS stats FROM steps AS s JOIN tasks AS t USING (job_id, position)
                   WHERE s.job_id = j.job_id AND s.step = 'video_track' AND t.status = 'succeeded' LIMIT 1) AS counted ON true;
