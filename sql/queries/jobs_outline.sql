-- Jobs as the interfaces of other systems tell of them: where a job stands, what it was given and what it has made: a
-- video rather than the pictures of it, which are made later.

-- name: show_job_outline
SELECT * FROM job_outlines AS j
WHERE j.public_id = $1 AND ($2::text IS NULL OR j.principal = $2);

-- name: list_all_job_outlines
-- The newest $3 in the states $1. Of those that run, if $2 is true only those without progress, and if it is false only
-- the others.
SELECT * FROM job_outlines AS j
WHERE ($1::text[] IS NULL OR j.status = ANY ($1)) AND ($2::boolean IS NULL OR (j.status = 'running' AND j.progress = 0) = $2)
ORDER BY j.job_id DESC LIMIT $3;

-- name: list_own_job_outlines
-- The same of the principal $4: a statement of its own, so that its plan reads no jobs of others.
SELECT * FROM job_outlines AS j
WHERE j.principal = $4 AND ($1::text[] IS NULL OR j.status = ANY ($1))
  AND ($2::boolean IS NULL OR (j.status = 'running' AND j.progress = 0) = $2)
ORDER BY j.job_id DESC LIMIT $3;

-- name: find_job_between
-- The job of the principal $3, NULL for any, whose id lies between two.
SELECT public_id FROM jobs WHERE public_id BETWEEN $1 AND $2 AND ($3::text IS NULL OR principal = $3) LIMIT 1;

-- name: list_made_files
-- What the job $1 has made, with the engine of the task that made it.
SELECT a.name, a.media_type, a.bytes, a.sha256, coalesce(s.parameters ->> 'name', s.step) AS step,
       t.output ->> 'engine' AS engine
FROM artifacts AS a JOIN steps AS s ON s.job_id = a.job_id AND s.position = a.position
LEFT JOIN tasks AS t ON t.job_id = a.job_id AND t.position = a.position AND t.shard = a.shard
WHERE a.job_id = $1 ORDER BY a.position DESC, a.shard, a.name LIMIT $2;
