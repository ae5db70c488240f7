-- Post-processors sleep until something is to be done, instead of asking all the time.

-- A post-processor that has nothing to do holds a lock for its stage, and listens. Only then are writers to tell it of
-- new marks: whoever tells holds up the commits of all others that tell. The writer shares the lock until it commits, so
-- a post-processor gets it only when there is no transaction whose marks it could neither see nor be told of.
CREATE FUNCTION wake_stages() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    one text;
BEGIN
    FOR one IN SELECT DISTINCT stage FROM came WHERE due <= clock_timestamp() LOOP
        IF NOT pg_try_advisory_xact_lock_shared(hashtextextended('windmill asleep ' || one, 0)) THEN
            PERFORM pg_notify('windmill_' || one, '');
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
CREATE TRIGGER wake AFTER INSERT ON stale
    REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION wake_stages();

-- As before, but without a setting of its own: then PostgreSQL plans it as a part of the statement that asks, which
-- costs a fraction.
CREATE OR REPLACE FUNCTION awaited_services(for_image bigint, for_stage text) RETURNS SETOF text
LANGUAGE sql STABLE AS $$
    SELECT DISTINCT asked.service
    FROM runs AS r CROSS JOIN unnest(r.services) AS asked (service)
    WHERE int8range(r.first_image_id, r.until_image_id, '(]') @> for_image
      AND r.selection <> 'failed'
      AND (r.image_group IS NULL
           OR EXISTS (SELECT FROM image_groups AS g
                      WHERE g.image_group = r.image_group AND g.image_id = for_image AND g.after_run < r.run_id))
      AND EXISTS (SELECT FROM feeds AS f WHERE f.service = asked.service AND f.stage = for_stage)
      AND NOT EXISTS (SELECT FROM results AS a WHERE a.image_id = for_image AND a.service = asked.service)
$$;
