-- What is derived of an image stands in one row: PostgreSQL compresses no row of less than 2 KB, and boxes or answers of
-- one image are much alike. `merged_boxes` and `postprocessing` are views of these rows, and can be written as before. So is
-- `consensus`, whose documents take a quarter less space as json than as jsonb.
--
-- A large database gets this as fast as a small one: rows of before stay in tables named ..._before, and the views show
-- them as well. They are converted image by image, by whoever is about to change an image and by post-processors in the
-- background (decision 0027). A small database is converted at once.

LOCK TABLE merges, merged_boxes, postprocessing, consensus IN ACCESS EXCLUSIVE MODE;

DO $$
DECLARE
    views text;
    one   record;
BEGIN
    SELECT string_agg(DISTINCT r.ev_class::regclass::text, ', ') INTO views
    FROM pg_depend AS d JOIN pg_rewrite AS r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
    WHERE d.refclassid = 'pg_class'::regclass
      AND d.refobjid IN ('merged_boxes'::regclass, 'postprocessing'::regclass, 'consensus'::regclass);
    IF views IS NOT NULL THEN
        RAISE EXCEPTION 'views would go on to read the tables of before: %; drop them, and create them anew afterwards', views;
    END IF;
    FOR one IN SELECT tgname, tgrelid::regclass AS place FROM pg_trigger
               WHERE tgrelid IN ('merges'::regclass, 'merged_boxes'::regclass, 'postprocessing'::regclass,
                                 'consensus'::regclass) AND NOT tgisinternal LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', one.tgname, one.place);
    END LOOP;
    -- The greatest number would have to be looked for.
    FOR one IN SELECT * FROM (VALUES ('merged_ids', pg_get_serial_sequence('merged_boxes', 'merged_id')),
                                     ('post_ids', pg_get_serial_sequence('postprocessing', 'post_id'))
                             ) AS numbers (name, before) LOOP
        EXECUTE format('CREATE SEQUENCE %I', one.name);
        EXECUTE format('SELECT setval(%L, last_value + 1, false) FROM %s', one.name, one.before);
    END LOOP;
END
$$;
ALTER TABLE merged_boxes RENAME TO merged_boxes_before;
ALTER TABLE postprocessing RENAME TO postprocessing_before;
ALTER TABLE consensus RENAME TO consensus_before;

-- box_rows: merged_id, box_key, anchor and data of each box. failed: the services whose error is part of the merge.
-- What all boxes of an image have in common is told once.
ALTER TABLE merges
    ADD COLUMN failed   text[] NOT NULL DEFAULT '{}',
    ADD COLUMN box_rows json NOT NULL DEFAULT '[]';

-- answers: for each box and service an object with the columns of `postprocessing`; those without a value are left out.
CREATE TABLE enrichments (
    image_id bigint PRIMARY KEY,
    answers  json NOT NULL,
    updated  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX enrichments_updated ON enrichments USING brin (updated) WITH (pages_per_range = 32);

CREATE TABLE votes (
    image_id          bigint PRIMARY KEY,
    consensus_data    json NOT NULL,
    source_result_ids bigint[] NOT NULL,
    processing_time   real,
    created           timestamptz NOT NULL DEFAULT clock_timestamp(),
    source_merged_ids bigint[] NOT NULL DEFAULT '{}',
    source_post_ids   bigint[] NOT NULL DEFAULT '{}',
    version           integer NOT NULL DEFAULT 0,
    calibration       text NOT NULL DEFAULT ''
);

-- The views, with the rows of before or without.
CREATE FUNCTION show_derived_rows(with_those_before boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE $view$
        CREATE OR REPLACE VIEW merged_boxes AS
        SELECT m.image_id, b.merged_id, b.box_key, m.source_result_ids,
               CASE json_typeof(b.data) WHEN 'object' THEN b.data::jsonb || jsonb_build_object(
                   'services', m.services, 'awaiting_services', m.awaiting, 'failed_services', m.failed)
               ELSE b.data::jsonb END AS merged_data,
               'success'::text AS status, m.created, b.anchor, m.version, m.calibration
        FROM merges AS m CROSS JOIN LATERAL json_to_recordset(m.box_rows)
             AS b (merged_id bigint, box_key text, anchor integer[], data json)
    $view$ || CASE WHEN with_those_before THEN $view$
        UNION ALL
        SELECT image_id, merged_id, box_key, source_result_ids, merged_data, status, created, anchor, version, calibration
        FROM merged_boxes_before
    $view$ ELSE '' END;
    EXECUTE $view$
        CREATE OR REPLACE VIEW postprocessing AS
        SELECT e.image_id, a.post_id, a.merged_box_id, a.box_key, a.service, a.data,
               CASE WHEN a.error_code IS NULL THEN 'success' ELSE 'error' END AS status, a.error_code,
               a.processing_time, a.result_created, a.error_message, a.attempt, a.final, a.version
        FROM enrichments AS e CROSS JOIN LATERAL json_to_recordset(e.answers)
             AS a (post_id bigint, merged_box_id bigint, box_key text, service text, data json, error_code text,
                   processing_time real, result_created timestamptz, error_message text, attempt integer,
                   final boolean, version integer)
    $view$ || CASE WHEN with_those_before THEN $view$
        UNION ALL
        SELECT image_id, post_id, merged_box_id, box_key, service, data, status, error_code, processing_time,
               result_created, error_message, attempt, final, version
        FROM postprocessing_before
    $view$ ELSE '' END;
    EXECUTE $view$
        CREATE OR REPLACE VIEW consensus AS
        SELECT image_id, consensus_data::jsonb AS consensus_data, source_result_ids, processing_time, created,
               source_merged_ids, source_post_ids, version, calibration
        FROM votes
    $view$ || CASE WHEN with_those_before THEN $view$
        UNION ALL
        SELECT image_id, consensus_data, source_result_ids, processing_time, created, source_merged_ids,
               source_post_ids, version, calibration
        FROM consensus_before
    $view$ ELSE '' END;
END
$$;
SELECT show_derived_rows(true);
ALTER VIEW consensus ALTER COLUMN created SET DEFAULT clock_timestamp();
ALTER VIEW consensus ALTER COLUMN source_merged_ids SET DEFAULT '{}';
ALTER VIEW consensus ALTER COLUMN source_post_ids SET DEFAULT '{}';
ALTER VIEW consensus ALTER COLUMN version SET DEFAULT 0;
ALTER VIEW consensus ALTER COLUMN calibration SET DEFAULT '';
ALTER VIEW postprocessing ALTER COLUMN attempt SET DEFAULT 1;
ALTER VIEW postprocessing ALTER COLUMN final SET DEFAULT true;
ALTER VIEW postprocessing ALTER COLUMN version SET DEFAULT 0;
ALTER VIEW merged_boxes ALTER COLUMN anchor SET DEFAULT '{0,0,0,0}';

-- Puts what stands before of these images into one row each; a row that somebody wrote there by hand stays. Nothing is
-- computed, so nothing becomes stale: the triggers below leave no marks for the stage 'convert'.
CREATE FUNCTION put_together(image_ids bigint[]) RETURNS void
LANGUAGE plpgsql SET windmill.stage = 'convert' AS $$
BEGIN
    WITH went AS (
        DELETE FROM merged_boxes_before WHERE image_id = ANY (image_ids)
        RETURNING image_id, merged_id, box_key, source_result_ids, merged_data, anchor, version, calibration
    )
    INSERT INTO merges AS m (image_id, source_result_ids, services, awaiting, dropped, boxes, version, calibration,
                             failed, box_rows)
    SELECT image_id, source_result_ids, '{}', '{}', '{}', 0, version, calibration,
           ARRAY(SELECT jsonb_array_elements_text(CASE jsonb_typeof(failed) WHEN 'array' THEN failed ELSE '[]' END)),
           box_rows
    FROM (SELECT image_id, min(source_result_ids) AS source_result_ids, min(version) AS version,
                 min(calibration) AS calibration, (array_agg(merged_data -> 'failed_services'))[1] AS failed,
                 json_agg(json_build_object(
                     'anchor', anchor, 'box_key', box_key, 'merged_id', merged_id,
                     'data', CASE jsonb_typeof(merged_data) WHEN 'object'
                             THEN merged_data - '{services,awaiting_services,failed_services}'::text[]
                             ELSE merged_data END) ORDER BY merged_id) AS box_rows
          FROM went GROUP BY image_id) AS together
    ON CONFLICT (image_id) DO UPDATE SET failed = excluded.failed, box_rows = excluded.box_rows
    WHERE m.box_rows::text = '[]';

    WITH went AS (DELETE FROM postprocessing_before WHERE image_id = ANY (image_ids) RETURNING *)
    INSERT INTO enrichments (image_id, answers, updated)
    SELECT image_id, json_agg(json_build_object(
               'post_id', post_id, 'merged_box_id', merged_box_id, 'box_key', box_key, 'service', service, 'data', data,
               'error_code', error_code, 'error_message', error_message, 'processing_time', processing_time,
               'attempt', attempt, 'final', final, 'version', version, 'result_created', result_created)
               ORDER BY service, box_key), max(result_created)
    FROM went GROUP BY image_id
    ON CONFLICT DO NOTHING;

    WITH went AS (DELETE FROM consensus_before WHERE image_id = ANY (image_ids) RETURNING *)
    INSERT INTO votes (image_id, consensus_data, source_result_ids, processing_time, created, source_merged_ids,
                       source_post_ids, version, calibration)
    SELECT image_id, consensus_data::text::json, source_result_ids, processing_time, created, source_merged_ids,
           source_post_ids, version, calibration
    FROM went
    ON CONFLICT DO NOTHING;
END
$$;

-- Whoever is about to read these images from the tables, or to change them, calls this before. It waits for whoever
-- converts one of them at the moment. Once all images are converted, it does nothing.
CREATE FUNCTION convert_derived_rows(image_ids bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    before bigint[];
BEGIN
    SELECT array_agg(DISTINCT one ORDER BY one) INTO before FROM unnest(image_ids) AS one
    WHERE EXISTS (SELECT FROM merged_boxes_before AS b WHERE b.image_id = one)
       OR EXISTS (SELECT FROM postprocessing_before AS p WHERE p.image_id = one)
       OR EXISTS (SELECT FROM consensus_before AS c WHERE c.image_id = one);
    IF before IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('windmill convert', one)) FROM unnest(before) AS one;
        PERFORM put_together(before);
    END IF;
END
$$;

-- How far the tables of before are converted: from their end, which VACUUM then gives back to the disk. No row once all
-- are.
CREATE TABLE derived_conversion (
    place      text PRIMARY KEY,
    turn       integer NOT NULL,
    pages      bigint NOT NULL,
    pages_left bigint NOT NULL,
    images     bigint NOT NULL DEFAULT 0
);
INSERT INTO derived_conversion (place, turn, pages, pages_left)
SELECT place, turn, pages, pages
FROM (VALUES ('postprocessing_before', 1), ('merged_boxes_before', 2), ('consensus_before', 3)) AS places (place, turn),
     LATERAL (SELECT pg_relation_size(place::regclass) / current_setting('block_size')::bigint AS pages) AS size;
GRANT SELECT ON derived_conversion TO PUBLIC;

-- Converts images that have rows in the next pages. It waits for nobody who converts one of them at the moment: `waiting`
-- counts the images of these pages that are left, and then the next call looks there again. `images` is NULL if another
-- process is at it. Whoever wants one of the images waits until all of them are converted, so they are few.
CREATE FUNCTION convert_next_rows(most_pages integer, OUT images integer, OUT waiting integer, OUT pages_left bigint)
LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
DECLARE
    most_images CONSTANT integer := 200;
    part  derived_conversion;
    first bigint;
    there bigint[];
    free  bigint[];
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('windmill conversion', 0)) THEN
        RETURN;
    END IF;
    SELECT * INTO part FROM derived_conversion AS d WHERE d.pages_left > 0 ORDER BY d.turn LIMIT 1;
    images := 0;
    waiting := 0;
    IF FOUND THEN
        first := greatest(0, part.pages_left - most_pages);
        EXECUTE format('SELECT coalesce(array_agg(DISTINCT image_id ORDER BY image_id), ''{}'') FROM %I
                        WHERE ctid >= $1 AND ctid < $2', part.place)
            INTO there USING format('(%s,0)', first)::tid, format('(%s,0)', part.pages_left)::tid;
        SELECT coalesce(array_agg(one), '{}') INTO free FROM unnest(there[1:most_images]) AS one
        WHERE pg_try_advisory_xact_lock(hashtextextended('windmill convert', one));
        PERFORM put_together(free);
        images := cardinality(free);
        waiting := cardinality(there) - images;
        UPDATE derived_conversion AS d
        SET images = d.images + convert_next_rows.images,
            pages_left = CASE waiting WHEN 0 THEN first ELSE d.pages_left END
        WHERE d.place = part.place;
    END IF;
    SELECT sum(d.pages_left) INTO pages_left FROM derived_conversion AS d;
END
$$;

-- When no page is left: drops the tables of before, and all that only served the conversion. Returns whether it did; if
-- rows are left after all, their tables are to be converted again.
CREATE FUNCTION end_conversion() RETURNS boolean LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
DECLARE
    part      record;
    left_over boolean;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('windmill conversion', 0)) THEN
        RETURN false;
    END IF;
    FOR part IN SELECT place FROM derived_conversion LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %I)', part.place) INTO left_over;
        IF left_over THEN
            UPDATE derived_conversion
            SET pages_left = pg_relation_size(place::regclass) / current_setting('block_size')::bigint
            WHERE place = part.place;
            RETURN false;
        END IF;
    END LOOP;
    PERFORM show_derived_rows(false);
    CREATE OR REPLACE FUNCTION convert_derived_rows(image_ids bigint[]) RETURNS void LANGUAGE plpgsql AS 'BEGIN END';
    DROP TABLE merged_boxes_before, postprocessing_before, consensus_before;
    DELETE FROM derived_conversion;
    DROP FUNCTION show_derived_rows(boolean), put_together(bigint[]), convert_next_rows(integer), end_conversion();
    RETURN true;
END
$$;

-- A box that somebody writes by hand. `boxes` stays what the merge made, by which a box that is gone is found.
CREATE FUNCTION write_merged_box() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM convert_derived_rows(ARRAY[OLD.image_id, NEW.image_id]);
    IF TG_OP <> 'INSERT' THEN
        UPDATE merges AS m SET created = clock_timestamp(), box_rows = coalesce(
            (SELECT json_agg(one) FROM json_array_elements(m.box_rows) AS one WHERE one ->> 'box_key' <> OLD.box_key), '[]')
        WHERE m.image_id = OLD.image_id;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    NEW.merged_id := coalesce(NEW.merged_id, nextval('merged_ids'));
    INSERT INTO merges (image_id, source_result_ids, services, awaiting, dropped, boxes, version, calibration)
    VALUES (NEW.image_id, NEW.source_result_ids, '{}', '{}', '{}', 0, coalesce(NEW.version, 0),
            coalesce(NEW.calibration, ''))
    ON CONFLICT DO NOTHING;
    UPDATE merges AS m
    SET created = clock_timestamp(),
        source_result_ids = CASE TG_OP WHEN 'UPDATE' THEN NEW.source_result_ids ELSE m.source_result_ids END,
        version = CASE TG_OP WHEN 'UPDATE' THEN NEW.version ELSE m.version END,
        calibration = CASE TG_OP WHEN 'UPDATE' THEN NEW.calibration ELSE m.calibration END,
        box_rows = (
        SELECT json_agg(kept) FROM (
            SELECT one AS kept FROM json_array_elements(m.box_rows) AS one WHERE one ->> 'box_key' <> NEW.box_key
            UNION ALL SELECT json_build_object('anchor', NEW.anchor, 'box_key', NEW.box_key,
                                               'merged_id', NEW.merged_id, 'data', NEW.merged_data)) AS rows)
    WHERE m.image_id = NEW.image_id;
    RETURN NEW;
END
$$;
CREATE TRIGGER write_box INSTEAD OF INSERT OR UPDATE OR DELETE ON merged_boxes
    FOR EACH ROW EXECUTE FUNCTION write_merged_box();

-- The same for an answer about a box.
CREATE FUNCTION write_box_answer() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM convert_derived_rows(ARRAY[OLD.image_id, NEW.image_id]);
    IF TG_OP <> 'INSERT' THEN
        UPDATE enrichments AS e SET updated = clock_timestamp(), answers = coalesce(
            (SELECT json_agg(one) FROM json_array_elements(e.answers) AS one
             WHERE (one ->> 'box_key', one ->> 'service') <> (OLD.box_key, OLD.service)), '[]')
        WHERE e.image_id = OLD.image_id;
        DELETE FROM enrichments AS e WHERE e.image_id = OLD.image_id AND json_array_length(e.answers) = 0;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    IF (NEW.status = 'error') <> (NEW.error_code IS NOT NULL) THEN
        RAISE check_violation USING MESSAGE = 'an error has a code, and a success has none';
    END IF;
    NEW.post_id := coalesce(NEW.post_id, nextval('post_ids'));
    NEW.result_created := coalesce(NEW.result_created, clock_timestamp());
    INSERT INTO enrichments (image_id, answers) VALUES (NEW.image_id, '[]') ON CONFLICT DO NOTHING;
    UPDATE enrichments AS e SET updated = clock_timestamp(), answers = (
        SELECT json_agg(kept) FROM (
            SELECT one AS kept FROM json_array_elements(e.answers) AS one
            WHERE (one ->> 'box_key', one ->> 'service') <> (NEW.box_key, NEW.service)
            UNION ALL SELECT json_build_object(
                'post_id', NEW.post_id, 'merged_box_id', NEW.merged_box_id, 'box_key', NEW.box_key,
                'service', NEW.service, 'data', NEW.data, 'error_code', NEW.error_code,
                'error_message', NEW.error_message, 'processing_time', NEW.processing_time, 'attempt', NEW.attempt,
                'final', NEW.final, 'version', NEW.version, 'result_created', NEW.result_created)) AS rows)
    WHERE e.image_id = NEW.image_id;
    RETURN NEW;
END
$$;
CREATE TRIGGER write_answer INSTEAD OF INSERT OR UPDATE OR DELETE ON postprocessing
    FOR EACH ROW EXECUTE FUNCTION write_box_answer();

-- The same for a vote.
CREATE FUNCTION write_vote() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM convert_derived_rows(ARRAY[OLD.image_id, NEW.image_id]);
    IF TG_OP = 'INSERT' THEN
        INSERT INTO votes (image_id, consensus_data, source_result_ids, processing_time, created, source_merged_ids,
                           source_post_ids, version, calibration)
        VALUES (NEW.image_id, NEW.consensus_data, NEW.source_result_ids, NEW.processing_time, NEW.created,
                NEW.source_merged_ids, NEW.source_post_ids, NEW.version, NEW.calibration);
    ELSIF TG_OP = 'UPDATE' THEN
        UPDATE votes SET image_id = NEW.image_id, consensus_data = NEW.consensus_data,
            source_result_ids = NEW.source_result_ids, processing_time = NEW.processing_time, created = NEW.created,
            source_merged_ids = NEW.source_merged_ids, source_post_ids = NEW.source_post_ids, version = NEW.version,
            calibration = NEW.calibration
        WHERE image_id = OLD.image_id;
    ELSE
        DELETE FROM votes WHERE image_id = OLD.image_id;
        RETURN OLD;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER write_vote INSTEAD OF INSERT OR UPDATE OR DELETE ON consensus
    FOR EACH ROW EXECUTE FUNCTION write_vote();

-- A merge leads to a new search row; other boxes to other crops and votes; and one that is changed by hand is made anew.
CREATE OR REPLACE FUNCTION mark_by_merged_boxes() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO stale (stage, image_id)
    SELECT s.stage, c.image_id FROM changed AS c CROSS JOIN stages AS s
    WHERE CASE s.stage WHEN 'index' THEN true
          WHEN 'hash' THEN false
          WHEN 'merge' THEN current_setting('windmill.stage', true) IS DISTINCT FROM 'merge'
          ELSE c.box_rows::text <> '[]' END;
    RETURN NULL;
END
$$;
CREATE FUNCTION mark_by_other_boxes() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO stale (stage, image_id)
    SELECT s.stage, coalesce(c.image_id, w.image_id)
    FROM came AS c FULL JOIN went AS w USING (image_id) CROSS JOIN stages AS s
    WHERE CASE s.stage WHEN 'index' THEN true
          WHEN 'hash' THEN false
          WHEN 'merge' THEN current_setting('windmill.stage', true) IS DISTINCT FROM 'merge'
          ELSE coalesce(c.box_rows::text, '[]') <> coalesce(w.box_rows::text, '[]') END;
    RETURN NULL;
END
$$;
CREATE OR REPLACE FUNCTION mark_by_postprocessing() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO stale (stage, image_id)
    SELECT s.stage, c.image_id FROM changed AS c CROSS JOIN stages AS s
    WHERE s.stage IN ('consensus', 'index')
       OR (s.stage = 'enrich' AND coalesce(current_setting('windmill.stage', true), '') NOT IN ('merge', 'enrich'));
    RETURN NULL;
END
$$;
CREATE FUNCTION mark_by_votes() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO stale (stage, image_id)
    SELECT DISTINCT s.stage, c.image_id FROM changed AS c CROSS JOIN stages AS s
    WHERE s.stage = 'index'
       OR (s.stage = 'consensus' AND current_setting('windmill.stage', true) IS DISTINCT FROM 'consensus');
    RETURN NULL;
END
$$;
CREATE FUNCTION mark_moved_vote() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO stale (stage, image_id) SELECT s.stage, OLD.image_id FROM stages AS s WHERE s.stage IN ('consensus', 'index');
    RETURN NULL;
END
$$;
CREATE TRIGGER mark_inserted AFTER INSERT ON votes REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    WHEN (current_setting('windmill.stage', true) IS DISTINCT FROM 'convert')
    EXECUTE FUNCTION mark_by_votes();
CREATE TRIGGER mark_updated AFTER UPDATE ON votes
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_by_votes();
CREATE TRIGGER mark_moved AFTER UPDATE ON votes
    FOR EACH ROW WHEN (OLD.image_id <> NEW.image_id) EXECUTE FUNCTION mark_moved_vote();
CREATE TRIGGER mark_deleted AFTER DELETE ON votes
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_by_votes();
CREATE TRIGGER mark_inserted AFTER INSERT ON merges REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    WHEN (current_setting('windmill.stage', true) IS DISTINCT FROM 'convert')
    EXECUTE FUNCTION mark_by_merged_boxes();
CREATE TRIGGER mark_updated AFTER UPDATE ON merges REFERENCING OLD TABLE AS went NEW TABLE AS came FOR EACH STATEMENT
    WHEN (current_setting('windmill.stage', true) IS DISTINCT FROM 'convert')
    EXECUTE FUNCTION mark_by_other_boxes();
CREATE TRIGGER mark_deleted AFTER DELETE ON merges
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_by_merged_boxes();
CREATE TRIGGER mark_inserted AFTER INSERT ON enrichments REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    WHEN (current_setting('windmill.stage', true) IS DISTINCT FROM 'convert')
    EXECUTE FUNCTION mark_by_postprocessing();
CREATE TRIGGER mark_updated AFTER UPDATE ON enrichments
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_by_postprocessing();
CREATE TRIGGER mark_deleted AFTER DELETE ON enrichments
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_by_postprocessing();
-- Answers of a blind service are deleted also before they are converted.
CREATE TRIGGER mark_deleted AFTER DELETE ON postprocessing_before REFERENCING OLD TABLE AS changed FOR EACH STATEMENT
    WHEN (current_setting('windmill.stage', true) IS DISTINCT FROM 'convert')
    EXECUTE FUNCTION mark_by_postprocessing();

-- Whoever may use the tables may use the views, what they are made of and the numbers they need.
DO $$
DECLARE
    one   record;
    place record;
BEGIN
    FOR place IN SELECT * FROM (VALUES ('merged_boxes', 'merged_boxes', 'merged_ids'),
                                       ('postprocessing', 'postprocessing, enrichments', 'post_ids'),
                                       ('consensus', 'consensus, votes', NULL)
                               ) AS places (name, names, numbers) LOOP
        FOR one IN SELECT a.privilege_type, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS grantee
                   FROM pg_class AS c CROSS JOIN aclexplode(c.relacl) AS a
                   WHERE c.oid = (place.name || '_before')::regclass AND a.grantee <> c.relowner
                     AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE') LOOP
            EXECUTE format('GRANT %s ON %s TO %s', one.privilege_type, place.names, one.grantee);
            IF place.numbers IS NOT NULL THEN
                EXECUTE format('GRANT USAGE ON SEQUENCE %s TO %s', place.numbers, one.grantee);
            END IF;
        END LOOP;
    END LOOP;
END
$$;

-- A digest of all rows from which the search row of an image is made; NULL if there is none.
CREATE OR REPLACE FUNCTION search_sources(for_image bigint) RETURNS bigint
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT hashtextextended(string_agg(source, '|' ORDER BY source), 0)
    FROM (SELECT 'r' || string_agg(r.result_id::text, ',' ORDER BY r.result_id)
          FROM results AS r JOIN feeds AS f ON f.service = r.service AND f.stage = 'index'
          WHERE r.image_id = for_image
          UNION ALL SELECT 'm' || extract(epoch FROM m.created) FROM merges AS m WHERE m.image_id = for_image
          UNION ALL SELECT 'p' || extract(epoch FROM e.updated) FROM enrichments AS e WHERE e.image_id = for_image
          UNION ALL SELECT 'c' || extract(epoch FROM c.created) FROM votes AS c WHERE c.image_id = for_image
          UNION ALL SELECT 'h' || h.phash FROM picture_hashes AS h WHERE h.image_id = for_image
         ) AS sources (source)
    WHERE source IS NOT NULL
$$;

-- As before.
CREATE OR REPLACE FUNCTION delete_answers_of_deleted_images() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM results AS r USING went AS w WHERE r.image_id = w.image_id;
    INSERT INTO stale (stage, image_id)
    SELECT s.stage, w.image_id FROM went AS w CROSS JOIN stages AS s
    WHERE EXISTS (SELECT FROM merges AS m WHERE m.image_id = w.image_id)
       OR EXISTS (SELECT FROM postprocessing AS p WHERE p.image_id = w.image_id)
       OR EXISTS (SELECT FROM consensus AS c WHERE c.image_id = w.image_id)
       OR EXISTS (SELECT FROM picture_hashes AS h WHERE h.image_id = w.image_id)
       OR EXISTS (SELECT FROM image_search AS i WHERE i.image_id = w.image_id);
    RETURN NULL;
END
$$;

-- Conversion changes nothing that anybody sees, so whoever writes a row or runs a post-processor needs no rights for it.
-- So nobody's temporary tables may stand in for ours.
DO $$
DECLARE
    one  text;
    many CONSTANT integer := 10000;
BEGIN
    FOREACH one IN ARRAY ARRAY['show_derived_rows(boolean)', 'put_together(bigint[])', 'convert_derived_rows(bigint[])',
                               'convert_next_rows(integer)', 'end_conversion()'] LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', one, current_schema());
    END LOOP;
    -- At once if that takes no longer than an update may take.
    IF greatest((SELECT count(*) FROM (SELECT FROM merges LIMIT many + 1) AS few),
                (SELECT count(*) FROM (SELECT FROM consensus_before LIMIT many + 1) AS few)) <= many THEN
        PERFORM put_together(ARRAY(SELECT image_id FROM merged_boxes_before UNION SELECT image_id FROM postprocessing_before
                                   UNION SELECT image_id FROM consensus_before));
        PERFORM end_conversion();
    END IF;
END
$$;
