-- First step of spreading `results` over partitions: from now on no row lies at or beyond windmill.bound. Takes a moment,
-- as what is there already is only looked at in the next step, beside which everybody goes on to work:
-- ALTER TABLE results VALIDATE CONSTRAINT results_bound. Run by `python -m windmill partitions --convert`.
DO $$
BEGIN
    ALTER TABLE results DROP CONSTRAINT IF EXISTS results_bound;
    EXECUTE format('ALTER TABLE results ADD CONSTRAINT results_bound CHECK (image_id < %s) NOT VALID',
                   current_setting('windmill.bound'));
END
$$;
