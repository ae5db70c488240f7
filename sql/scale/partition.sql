-- Replaces `results` by a partitioned table. The old table becomes its first partition without copying; the validated
-- constraint results_bound saves PostgreSQL from reading its rows. Indexes, triggers, owner and grants are kept.
-- Run by `python -m windmill partitions --convert`.
DO $$
DECLARE
    bound    constant bigint := current_setting('windmill.bound');
    triggers text[];
    indexes  text[];
    grants   text[];
    owner    text;
    one      record;
    line     text;
BEGIN
    LOCK TABLE results IN ACCESS EXCLUSIVE MODE;

    SELECT array_agg(pg_get_triggerdef(oid)) INTO triggers
    FROM pg_trigger WHERE tgrelid = 'results'::regclass AND NOT tgisinternal;
    SELECT array_agg(pg_get_indexdef(indexrelid)) INTO indexes
    FROM pg_index WHERE indrelid = 'results'::regclass AND NOT indisprimary;
    SELECT pg_get_userbyid(relowner),
           ARRAY(SELECT format('GRANT %s ON results TO %s', privilege_type,
                               CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END)
                 FROM aclexplode(relacl) WHERE grantee <> relowner)
    INTO owner, grants FROM pg_class WHERE oid = 'results'::regclass;

    -- Triggers count and mark once per statement, on the table named in the statement, which is the new one.
    FOR one IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'results'::regclass AND NOT tgisinternal LOOP
        EXECUTE format('DROP TRIGGER %I ON results', one.tgname);
    END LOOP;
    FOR one IN SELECT indexrelid::regclass::text AS name FROM pg_index WHERE indrelid = 'results'::regclass LOOP
        EXECUTE format('ALTER INDEX %s RENAME TO %I', one.name, one.name || '_first');
    END LOOP;
    ALTER TABLE results RENAME TO results_first;

    CREATE TABLE results (LIKE results_first INCLUDING ALL EXCLUDING INDEXES) PARTITION BY RANGE (image_id);
    EXECUTE format('ALTER TABLE results OWNER TO %I', owner);
    ALTER TABLE results DROP CONSTRAINT results_bound;
    ALTER TABLE results ADD CONSTRAINT results_pkey PRIMARY KEY (image_id, service);
    FOREACH line IN ARRAY coalesce(indexes, '{}') LOOP
        EXECUTE line;
    END LOOP;
    EXECUTE format('ALTER TABLE results ATTACH PARTITION results_first FOR VALUES FROM (MINVALUE) TO (%s)', bound);
    ALTER TABLE results_first DROP CONSTRAINT results_bound;
    -- Takes ids beyond all partitions, so that no row is ever refused.
    CREATE TABLE results_rest PARTITION OF results DEFAULT;

    FOREACH line IN ARRAY coalesce(triggers, '{}') || grants LOOP
        EXECUTE line;
    END LOOP;
    ALTER SEQUENCE result_ids OWNED BY results.result_id;
END
$$;
