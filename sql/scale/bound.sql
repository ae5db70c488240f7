-- First step of partitioning `results`: forbids new rows at or beyond windmill.bound. This is fast, because only the
-- next step checks existing rows: ALTER TABLE results VALIDATE CONSTRAINT results_bound. Everything keeps running
-- meanwhile. Run by `python -m windmill partitions --convert`.
DO $$
BEGIN
    ALTER TABLE results DROP CONSTRAINT IF EXISTS results_bound;
    EXECUTE format('ALTER TABLE results ADD CONSTRAINT results_bound CHECK (image_id < %s) NOT VALID',
                   current_setting('windmill.bound'));
END
$$;
