-- The fleet at a glance: who works, and how many rows there are without counting them.

-- One row for each process and service; nothing wrote to the table that was there before. The key is drawn by the
-- process at its start: WORKER_ID may stand in two copies of one .env, and in containers host and pid repeat as well.
DROP TABLE workers;
CREATE TABLE workers (
    process          uuid NOT NULL,
    service          text NOT NULL,
    worker_id        text NOT NULL,
    host             text NOT NULL,
    pid              integer NOT NULL,
    started_at       timestamptz NOT NULL,
    heartbeat_at     timestamptz NOT NULL DEFAULT now(),
    last_job_at      timestamptz,
    stopped_at       timestamptz,
    done             bigint NOT NULL,
    failed           bigint NOT NULL,
    retried          bigint NOT NULL,
    unavailable      bigint NOT NULL,
    rate             real NOT NULL,
    retry_rate       real NOT NULL,
    in_progress      integer NOT NULL,
    concurrency      integer NOT NULL,
    concurrency_auto boolean NOT NULL,
    breaker          text NOT NULL CHECK (breaker IN ('closed', 'open', 'half-open')),
    breaker_reason   text,
    PRIMARY KEY (process, service)
) WITH (fillfactor = 50);

-- How many rows `images` and `results` have is the sum of these: each statement that changes them adds its own, less
-- than nothing for what it took away. Only added and never changed, so that writers never wait for each other here.
CREATE TABLE row_counts (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    counted    text NOT NULL,
    service    text,
    error_code text,
    rows       bigint NOT NULL
);

-- Now and then a writer puts the sums in place of what was added; when another one does so already, nobody waits.
CREATE FUNCTION sum_up_row_counts(what text) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF pg_try_advisory_xact_lock(hashtextextended('windmill row_counts ' || what, 0)) THEN
        WITH taken AS (
            DELETE FROM row_counts WHERE counted = what RETURNING service, error_code, rows
        )
        INSERT INTO row_counts (counted, service, error_code, rows)
        SELECT what, service, error_code, sum(rows) FROM taken GROUP BY service, error_code HAVING sum(rows) <> 0;
    END IF;
END
$$;

CREATE FUNCTION count_results() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO row_counts (counted, service, error_code, rows)
        SELECT 'results', service, error_code, count(*) FROM came GROUP BY service, error_code;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO row_counts (counted, service, error_code, rows)
        SELECT 'results', service, error_code, -count(*) FROM went GROUP BY service, error_code;
    ELSE
        INSERT INTO row_counts (counted, service, error_code, rows)
        SELECT 'results', service, error_code, sum(change)
        FROM (SELECT service, error_code, 1 AS change FROM came
              UNION ALL SELECT service, error_code, -1 FROM went) AS changed
        GROUP BY service, error_code HAVING sum(change) <> 0;
    END IF;
    IF random() < 0.001 THEN
        PERFORM sum_up_row_counts('results');
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION count_images() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO row_counts (counted, rows) SELECT 'images', count(*) FROM came HAVING count(*) > 0;
    ELSE
        INSERT INTO row_counts (counted, rows) SELECT 'images', -count(*) FROM went HAVING count(*) > 0;
    END IF;
    IF random() < 0.001 THEN
        PERFORM sum_up_row_counts('images');
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION forget_row_counts() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM row_counts WHERE counted = TG_TABLE_NAME;
    RETURN NULL;
END
$$;

CREATE TRIGGER count_inserted AFTER INSERT ON results
    REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION count_results();
CREATE TRIGGER count_updated AFTER UPDATE ON results
    REFERENCING OLD TABLE AS went NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION count_results();
CREATE TRIGGER count_deleted AFTER DELETE ON results
    REFERENCING OLD TABLE AS went FOR EACH STATEMENT EXECUTE FUNCTION count_results();
CREATE TRIGGER count_truncated AFTER TRUNCATE ON results
    FOR EACH STATEMENT EXECUTE FUNCTION forget_row_counts();

CREATE TRIGGER count_inserted AFTER INSERT ON images
    REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION count_images();
CREATE TRIGGER count_deleted AFTER DELETE ON images
    REFERENCING OLD TABLE AS went FOR EACH STATEMENT EXECUTE FUNCTION count_images();
CREATE TRIGGER count_truncated AFTER TRUNCATE ON images
    FOR EACH STATEMENT EXECUTE FUNCTION forget_row_counts();

-- Counts what is there; also the remedy after somebody wrote with the triggers switched off.
CREATE FUNCTION recount_rows() RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    LOCK TABLE images, results IN SHARE MODE;
    DELETE FROM row_counts;
    INSERT INTO row_counts (counted, service, error_code, rows)
    SELECT 'results', service, error_code, count(*) FROM results GROUP BY service, error_code
    UNION ALL
    SELECT 'images', NULL, NULL, count(*) FROM images HAVING count(*) > 0;
END
$$;
SELECT recount_rows();
