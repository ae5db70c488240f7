-- Tasks of jobs that wait for answers of services.

-- One row for each task that has asked services for answers. submitted: how many of its images were looked at so far.
-- awaited: its rows in awaited_results. The task is woken when no more than wakes_at of them are left; -1 while it
-- decides.
CREATE TABLE result_waits (
    job_id    bigint NOT NULL,
    position  smallint NOT NULL,
    shard     integer NOT NULL,
    began_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    submitted integer NOT NULL DEFAULT 0,
    awaited   integer NOT NULL DEFAULT 0,
    wakes_at  integer NOT NULL DEFAULT -1,
    PRIMARY KEY (job_id, position, shard)
) WITH (fillfactor = 50);

-- One row for each answer that a task waits for. sent_at: when it was last published; NULL if that went wrong.
CREATE TABLE awaited_results (
    image_id     bigint NOT NULL,
    service      text NOT NULL,
    job_id       bigint NOT NULL,
    position     smallint NOT NULL,
    shard        integer NOT NULL,
    submitted_at timestamptz NOT NULL,
    sent_at      timestamptz,
    PRIMARY KEY (image_id, service, job_id, position, shard)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX awaited_results_task ON awaited_results (job_id, position, shard);

-- Takes off what was awaited in the transaction that writes the answer, and wakes the task. Nobody who writes answers
-- ever waits for a job: where somebody else has the job locked, the next reaper wakes the task. The rows of tasks are
-- locked first, and in one order, by everybody who changes what tasks wait for; so nobody waits in a circle.
CREATE FUNCTION settle_awaited() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    one record;
BEGIN
    IF NOT EXISTS (SELECT FROM result_waits) THEN
        RETURN NULL;
    END IF;
    PERFORM FROM result_waits AS w
    WHERE (w.job_id, w.position, w.shard) IN (
        SELECT a.job_id, a.position, a.shard FROM changed AS c JOIN awaited_results AS a USING (image_id, service))
    ORDER BY w.job_id, w.position, w.shard FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    FOR one IN
        WITH gone AS (
            DELETE FROM awaited_results AS a USING changed AS c
            WHERE a.image_id = c.image_id AND a.service = c.service
              AND (c.status = 'success' OR c.submitted_at >= a.submitted_at)
            RETURNING a.job_id, a.position, a.shard
        ), counted AS (
            SELECT job_id, position, shard, count(*)::integer AS number FROM gone GROUP BY job_id, position, shard
        )
        UPDATE result_waits AS w SET awaited = w.awaited - c.number FROM counted AS c
        WHERE w.job_id = c.job_id AND w.position = c.position AND w.shard = c.shard
        RETURNING w.job_id, w.position, w.shard, w.awaited <= w.wakes_at AS is_over
    LOOP
        CONTINUE WHEN NOT one.is_over;
        WITH job AS (
            SELECT j.job_id, j.status FROM jobs AS j WHERE j.job_id = one.job_id FOR NO KEY UPDATE SKIP LOCKED
        ), task AS (
            SELECT t.job_id, t.position, t.shard FROM tasks AS t
            WHERE t.job_id = one.job_id AND t.position = one.position AND t.shard = one.shard AND t.status = 'waiting'
              AND EXISTS (SELECT FROM job)
            FOR NO KEY UPDATE SKIP LOCKED
        )
        UPDATE tasks AS t
        SET status = 'queued', queued_at = clock_timestamp(),
            not_before = CASE WHEN (SELECT status FROM job) = 'paused' THEN timestamptz 'infinity' END
        FROM task WHERE t.job_id = task.job_id AND t.position = task.position AND t.shard = task.shard;
    END LOOP;
    RETURN NULL;
END
$$;
CREATE TRIGGER settle_inserted AFTER INSERT ON results
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION settle_awaited();
CREATE TRIGGER settle_updated AFTER UPDATE ON results
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION settle_awaited();
