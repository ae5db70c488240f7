-- What derives from results, and how it is known to be stale.
--
-- Whoever changes a source row appends marks to `stale` in the same transaction, by the triggers below: a row written by
-- hand counts as well. Marks are only appended and never merged here, because a writer that waited for another's mark,
-- or took it for its own, could leave its row unseen.

-- The stages that somebody runs; marks are written for these alone. A stage adds itself when its first post-processor
-- starts, and then looks once at all images that were there before: up to swept_image_id it has, NULL means all.
CREATE TABLE stages (
    stage          text PRIMARY KEY CHECK (stage IN ('merge', 'enrich', 'consensus')),
    swept_image_id bigint
);
-- Which services' results make a stage stale: service_config.json as the post-processors last read it.
CREATE TABLE feeds (
    stage   text NOT NULL REFERENCES stages,
    service text NOT NULL,
    PRIMARY KEY (service, stage)
);
CREATE INDEX runs_images ON runs USING gist (int8range(first_image_id, until_image_id, '(]'));

-- deferred: somebody has looked, and decided to wait for more until `due`. lease: whoever works on the image without
-- holding a transaction, until `due`. tries: so often it went wrong.
ALTER TABLE stale
    ADD COLUMN deferred boolean NOT NULL DEFAULT false,
    ADD COLUMN lease    uuid,
    ADD COLUMN tries    integer NOT NULL DEFAULT 0;

-- One row for each image that was merged, boxes or none.
CREATE TABLE merges (
    image_id          bigint PRIMARY KEY,
    source_result_ids bigint[] NOT NULL,
    services          text[] NOT NULL,
    awaiting          text[] NOT NULL,
    dropped           jsonb NOT NULL,
    boxes             integer NOT NULL,
    version           integer NOT NULL,
    calibration       text NOT NULL,
    created           timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- anchor: x, y, width and height of the box when its key was given; by it the key is found again.
ALTER TABLE merged_boxes
    ADD COLUMN anchor      integer[] NOT NULL DEFAULT '{0,0,0,0}',
    ADD COLUMN version     integer NOT NULL DEFAULT 0,
    ADD COLUMN calibration text NOT NULL DEFAULT '';
ALTER TABLE consensus
    ADD COLUMN source_merged_ids bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN source_post_ids   bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN version           integer NOT NULL DEFAULT 0,
    ADD COLUMN calibration       text NOT NULL DEFAULT '';
-- final: whether it is tried no more. An answer is final, and so is an error of which no further try would help.
ALTER TABLE postprocessing
    ADD COLUMN error_message text,
    ADD COLUMN attempt       integer NOT NULL DEFAULT 1,
    ADD COLUMN final         boolean NOT NULL DEFAULT true,
    ADD COLUMN version       integer NOT NULL DEFAULT 0;

-- The services that feed a stage, were asked about the image, and have neither answered nor failed. Asked is what the
-- runs say; a run of the selection 'failed' asks nobody who was not asked before.
CREATE FUNCTION awaited_services(for_image bigint, for_stage text) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT DISTINCT asked.service
    FROM runs AS r CROSS JOIN unnest(r.services) AS asked (service)
    WHERE int8range(r.first_image_id, r.until_image_id, '(]') @> for_image
      AND r.selection <> 'failed'
      AND (r.image_group IS NULL
           OR r.image_group = (SELECT i.image_group FROM images AS i WHERE i.image_id = for_image))
      AND EXISTS (SELECT FROM feeds AS f WHERE f.service = asked.service AND f.stage = for_stage)
      AND NOT EXISTS (SELECT FROM results AS a WHERE a.image_id = for_image AND a.service = asked.service)
$$;

-- These do as little as possible, as every writer waits for them: when to look is decided by who looks. A stage that
-- writes its own rows says so in windmill.stage; rows that anybody else writes there are to be computed anew.
CREATE FUNCTION mark_by_results() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO stale (stage, image_id)
    SELECT DISTINCT f.stage, c.image_id FROM changed AS c JOIN feeds AS f USING (service);
    RETURN NULL;
END
$$;

CREATE FUNCTION mark_by_merged_boxes() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO stale (stage, image_id)
    SELECT DISTINCT s.stage, c.image_id FROM changed AS c CROSS JOIN stages AS s
    WHERE s.stage <> 'merge' OR current_setting('windmill.stage', true) IS DISTINCT FROM 'merge';
    RETURN NULL;
END
$$;

CREATE FUNCTION mark_by_postprocessing() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO stale (stage, image_id)
    SELECT DISTINCT s.stage, c.image_id FROM changed AS c CROSS JOIN stages AS s
    WHERE s.stage = 'consensus'
       OR (s.stage = 'enrich' AND coalesce(current_setting('windmill.stage', true), '') NOT IN ('merge', 'enrich'));
    RETURN NULL;
END
$$;

DO $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT * FROM (VALUES ('results'), ('merged_boxes'), ('postprocessing')) AS sources (source) LOOP
        EXECUTE format('CREATE TRIGGER mark_inserted AFTER INSERT ON %I REFERENCING NEW TABLE AS changed
                        FOR EACH STATEMENT EXECUTE FUNCTION %I()', one.source, 'mark_by_' || one.source);
        EXECUTE format('CREATE TRIGGER mark_updated AFTER UPDATE ON %I REFERENCING NEW TABLE AS changed
                        FOR EACH STATEMENT EXECUTE FUNCTION %I()', one.source, 'mark_by_' || one.source);
        -- The row as it was: an update may have moved it to another image or service.
        EXECUTE format('CREATE TRIGGER mark_moved AFTER UPDATE ON %I REFERENCING OLD TABLE AS changed
                        FOR EACH STATEMENT EXECUTE FUNCTION %I()', one.source, 'mark_by_' || one.source);
        EXECUTE format('CREATE TRIGGER mark_deleted AFTER DELETE ON %I REFERENCING OLD TABLE AS changed
                        FOR EACH STATEMENT EXECUTE FUNCTION %I()', one.source, 'mark_by_' || one.source);
    END LOOP;
END
$$;
