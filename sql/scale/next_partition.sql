-- Adds a partition of `results` for the image ids from windmill.low up to but not including windmill.high, and moves
-- rows there that went to results_rest before. Blocks writers meanwhile. Run by `python -m windmill partitions`.
DO $$
DECLARE
    low  constant bigint := current_setting('windmill.low');
    high constant bigint := current_setting('windmill.high');
    name constant text := 'results_from_' || low;
BEGIN
    LOCK TABLE ONLY results IN SHARE ROW EXCLUSIVE MODE;
    EXECUTE format('CREATE TABLE %I (LIKE results INCLUDING ALL EXCLUDING INDEXES)', name);
    EXECUTE format('WITH early AS (DELETE FROM results_rest WHERE image_id >= %s AND image_id < %s RETURNING *)
                    INSERT INTO %I SELECT * FROM early', low, high, name);
    EXECUTE format('ALTER TABLE results ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', name, low, high);
END
$$;
