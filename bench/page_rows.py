"""Rows for pages to be looked at: so many images with answers, and so many jobs, made by the database itself."""

from bench import search
from windmill.storage.database import Connection

LOOKED_AT = 3_000
"""So many of the newest images have boxes and votes: pages read those of the images that they show."""
_OFF, _ON = "SET session_replication_role = replica", "SET session_replication_role = DEFAULT"
_IMAGES = """
INSERT INTO images (image_filename, image_path, image_group, width, height, original_id)
SELECT n || '.jpg', '/pictures/2026/' || n || '.jpg', CASE WHEN n % 10 = 0 THEN 'holidays' END, 1000, 800,
       CASE WHEN n % 50 = 0 THEN n - 1 END
FROM generate_series(1, {images}) AS n;
INSERT INTO image_groups (image_group, image_id) SELECT image_group, image_id FROM images WHERE image_group <> '';
INSERT INTO results (image_id, service, data, status, error_code, error_message, processing_time, submitted_at,
                     result_created)
SELECT n, service, CASE WHEN n % 40 > 0 THEN '{{"predictions": [{{"label": "dog", "emoji": "🐶", "confidence": 0.9,
                                               "bbox": {{"x": 9, "y": 9, "width": 90, "height": 80}}}}]}}'::json END,
       CASE WHEN n % 40 > 0 THEN 'success' ELSE 'error' END, CASE WHEN n % 40 = 0 THEN 'SERVICE_TIMEOUT' END,
       CASE WHEN n % 40 = 0 THEN 'no answer' END, random(), now() - interval '1 day',
       now() - interval '1 day' * (1 - n / {images}::float8)
FROM generate_series(1, {images}) AS n, unnest('{{yolov8,clip}}'::text[]) AS service;
INSERT INTO runs (services, selection, image_group, first_image_id, until_image_id, last_image_id, images, jobs,
                  started_at, finished_at, principal)
SELECT '{{yolov8,clip}}', 'missing', CASE WHEN n % 3 = 0 THEN 'holidays' END, (n - 1) * {images} / 2000,
       n * {images} / 2000, n * {images} / 2000, {images} / 2000, {images} / 1000, now() - interval '2 days',
       CASE WHEN n < 1998 THEN now() END, 'ann'
FROM generate_series(1, 2000) AS n;
INSERT INTO stages (stage, swept_image_id) SELECT unnest('{{merge,enrich,consensus,index}}'::text[]), 9e15;
INSERT INTO feeds (stage, service) SELECT unnest('{{merge,consensus,index}}'::text[]), 'yolov8';
INSERT INTO stale (stage, image_id) SELECT 'consensus', n FROM generate_series(1, 20000) AS n;
INSERT INTO merges (image_id, source_result_ids, services, awaiting, dropped, boxes, version, calibration, box_rows)
SELECT n, '{{}}', '{{yolov8}}', '{{}}', '{{}}', 8, 0, '', (
    SELECT json_agg(json_build_object('merged_id', 8 * n + k, 'box_key', 'dog_' || k, 'anchor', '[0, 0, 0, 0]'::json,
           'data', json_build_object('label', 'dog', 'emoji', '🐶', 'confidence', 0.9, 'bbox',
                   json_build_object('x', 9 * k, 'y', 9, 'width', 90, 'height', 80), 'detections', '[]'::json)))
    FROM generate_series(1, 8) AS k)
FROM generate_series({images} - {looked_at}, {images}) AS n;
INSERT INTO workers (process, service, worker_id, host, pid, started_at, done, failed, retried, unavailable, rate,
                     retry_rate, in_progress, concurrency, concurrency_auto, breaker)
SELECT gen_random_uuid(), service, 'w' || n, 'host-' || n % 12, n, now(), 10000, 3, 2, 0, 4, 0, 2, 4, false, 'closed'
FROM generate_series(1, 60) AS n, unnest('{{yolov8,clip}}'::text[]) AS service;
"""
_JOBS = """
INSERT INTO jobs (kind, preset, preset_version, inputs, parameters, status, principal, progress, error_code, message,
                  last_event, created_at, started_at, ended_at)
SELECT 'preset', (ARRAY['cinematic_portrait_v1', 'dataset_report_v1', 'video_overlay_v1'])[n % 3 + 1], 1,
       '{{"prompt": "a lighthouse"}}', '{{"quality": "standard"}}', status, 'p' || n % 20,
       CASE WHEN status = 'queued' THEN 0 ELSE 1 END, CASE WHEN status = 'failed' THEN 'SERVICE_TIMEOUT' END,
       CASE WHEN status = 'failed' THEN 'no answer' END, 8, born, born + interval '1 second',
       CASE WHEN status NOT IN ('queued', 'running') THEN born + interval '1 minute' END
FROM generate_series(1, {jobs}) AS n,
     LATERAL (SELECT now() - interval '30 days' * (1 - n / {jobs}::float8) AS born,
                     CASE WHEN n <= {jobs} / 50 THEN 'failed' WHEN n % 500 = 0 THEN 'cancelled'
                          WHEN n > {jobs} * 0.99 THEN 'queued' WHEN n > {jobs} * 0.989 THEN 'running'
                          ELSE 'succeeded' END AS status) AS drawn;
INSERT INTO steps (job_id, position, step, version, status, planned, plan_cursor, settled, ran, started_at, ended_at)
SELECT job_id, p, 'step_' || p, 1,
       CASE WHEN ended_at IS NOT NULL THEN 'succeeded' WHEN p = 0 THEN 'running' ELSE 'pending' END, 1, NULL,
       CASE WHEN ended_at IS NULL THEN 0 ELSE 1 END, 20, started_at, ended_at
FROM jobs, generate_series(0, 2) AS p;
INSERT INTO tasks (job_id, position, shard, step, step_version, principal, status, tag, place, input, lease,
                   queued_at, claimed_at, ended_at, ran)
SELECT j.job_id, s.position, 0, s.step, 1, j.principal,
       CASE WHEN j.ended_at IS NOT NULL THEN 'succeeded' WHEN j.status = 'running' THEN 'running' ELSE 'queued' END,
       j.job_id, j.job_id, '{{}}', CASE WHEN j.status = 'running' THEN gen_random_uuid() END, j.created_at,
       j.started_at, j.ended_at, 20
FROM jobs AS j JOIN steps AS s USING (job_id) WHERE j.ended_at IS NOT NULL OR s.position = 0;
INSERT INTO step_queues (step) SELECT 'step_' || n FROM generate_series(0, 2) AS n;
INSERT INTO job_events (job_id, seq, at, kind, position, data)
SELECT job_id, seq, created_at + seq * interval '1 second', 'task_succeeded', seq / 3, '{{"message": "done"}}'
FROM jobs, generate_series(1, 8) AS seq;
INSERT INTO audit_log (principal, request_id, action, subject, before, after)
SELECT 'ann', 'r' || n, 'jobs.cancel', 'job ' || n, '{{"status": "queued"}}', '{{"status": "cancelled"}}'
FROM generate_series(1, {jobs}) AS n;
INSERT INTO webhooks (principal, url, kinds, secret) SELECT 'ann', 'https://example.org/' || n, '{{job.ended}}', '\\x00'
FROM generate_series(1, 20) AS n;
INSERT INTO webhook_deliveries (webhook_id, kind, body, status)
SELECT webhook_id, 'job.ended', '{{}}', 'delivered' FROM webhooks, generate_series(1, {jobs} / 20);
"""


async def fill(connection: Connection, images: int, jobs: int) -> None:
    """Triggers are off meanwhile, and what they would count is counted at the end."""
    await search.fill(connection, images)
    await connection.execute(_OFF)
    for part in (_IMAGES, _JOBS):
        statements = part.format(images=images, jobs=jobs, looked_at=LOOKED_AT).split(";\n")
        for statement in filter(str.strip, statements):
            await connection.execute(statement, timeout=3_600)
    await connection.execute(_ON)
    await connection.execute("SELECT recount_rows()", timeout=3_600)
    await connection.execute("VACUUM (ANALYZE)", timeout=3_600)
