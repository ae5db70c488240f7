-- What there is to do for the workers of steps: for the metric, for whoever starts workers, and for those who look.

-- Whose turn it is: of all processes of a fleet, only the one that takes a turn looks for what nobody has ended.
CREATE TABLE turns (
    name    text PRIMARY KEY,
    next_at timestamptz NOT NULL
) WITH (fillfactor = 50);

CREATE INDEX jobs_open ON jobs (status) WHERE ended_at IS NULL;

-- One row for each step that has open tasks, or that a worker has ever known. Each number is counted up to 10,000, so
-- that reading it takes no longer with more of them. claimable: tasks that may start now. running: those that do; expired:
-- those of them whose lease nobody has renewed. put_off: tasks that may start later. waiting: for something outside.
-- unplanned: jobs that need a worker to plan this step; it has no tasks before that.
CREATE VIEW step_work AS
WITH RECURSIVE open_steps AS (
    (SELECT step FROM tasks WHERE status IN ('queued', 'running', 'waiting') ORDER BY step LIMIT 1)
    UNION ALL
    SELECT (SELECT t.step FROM tasks AS t
            WHERE t.status IN ('queued', 'running', 'waiting') AND t.step > o.step ORDER BY t.step LIMIT 1)
    FROM open_steps AS o WHERE o.step IS NOT NULL
), unplanned AS (
    SELECT s.step, s.job_id FROM steps AS s
    WHERE s.status = 'running' AND s.plan_cursor IS NOT NULL
      AND (NOT s.streams OR EXISTS (SELECT FROM steps AS u WHERE u.job_id = s.job_id AND u.position = s.position - 1
                                    AND u.status IN ('succeeded', 'skipped')))
    LIMIT 10000
), known AS (
    SELECT step FROM open_steps WHERE step IS NOT NULL
    UNION SELECT step FROM unplanned
    UNION SELECT step FROM step_queues
)
SELECT k.step,
       (SELECT count(*) FROM (SELECT FROM tasks AS t WHERE t.step = k.step AND t.status = 'queued'
                              AND t.not_before IS NULL LIMIT 10000) AS found)::integer AS claimable,
       (SELECT count(*) FROM (SELECT FROM tasks AS t WHERE t.step = k.step AND t.status = 'running'
                              LIMIT 10000) AS found)::integer AS running,
       (SELECT count(*) FROM tasks AS t WHERE t.step = k.step AND t.status = 'running'
        AND t.lease_until < clock_timestamp())::integer AS expired,
       (SELECT count(*) FROM (SELECT FROM tasks AS t WHERE t.step = k.step AND t.status = 'queued'
                              AND t.not_before IS NOT NULL LIMIT 10000) AS found)::integer AS put_off,
       (SELECT count(*) FROM (SELECT FROM tasks AS t WHERE t.step = k.step AND t.status = 'waiting'
                              LIMIT 10000) AS found)::integer AS waiting,
       (SELECT count(DISTINCT u.job_id) FROM unplanned AS u WHERE u.step = k.step)::integer AS unplanned
FROM known AS k;

-- A job that is being deleted stays until its files and all else of it are gone, so that a deletion that was killed
-- is taken up again.
ALTER TABLE jobs
    DROP CONSTRAINT jobs_status_check, DROP CONSTRAINT jobs_check1,
    ADD CONSTRAINT jobs_status_check CHECK (status IN ('queued', 'running', 'waiting', 'paused', 'cancelling',
                                                       'succeeded', 'failed', 'cancelled', 'expired', 'deleting')),
    ADD CONSTRAINT jobs_ended_check CHECK ((ended_at IS NOT NULL) = (status IN ('succeeded', 'failed', 'cancelled',
                                                                                'expired', 'deleting')));
CREATE INDEX jobs_ended ON jobs (ended_at) WHERE ended_at IS NOT NULL;

-- The times that steps took lately.
CREATE INDEX steps_measured ON steps (step, ended_at) WHERE status = 'succeeded';

-- Without these, counting what is put off or waits would read all open tasks of the step.
CREATE INDEX tasks_put_off_steps ON tasks (step) WHERE status = 'queued' AND not_before IS NOT NULL;
CREATE INDEX tasks_waiting_steps ON tasks (step) WHERE status = 'waiting';
