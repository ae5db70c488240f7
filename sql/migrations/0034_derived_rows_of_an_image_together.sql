-- What is derived of an image stands in one row: PostgreSQL compresses no row of less than 2 KB, and boxes or answers of
-- one image are much alike. `merged_boxes` and `postprocessing` are views of these rows, and can be written as before. So is
-- `consensus`, whose documents take a quarter less space as json than as jsonb.

CREATE SEQUENCE merged_ids;
CREATE SEQUENCE post_ids;
SELECT setval('merged_ids', coalesce(max(merged_id), 0) + 1, false) FROM merged_boxes;
SELECT setval('post_ids', coalesce(max(post_id), 0) + 1, false) FROM postprocessing;

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

LOCK TABLE merges, merged_boxes, postprocessing, consensus IN ACCESS EXCLUSIVE MODE;
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT tgname, tgrelid::regclass AS place FROM pg_trigger
               WHERE tgrelid IN ('merges'::regclass, 'consensus'::regclass) AND NOT tgisinternal LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', one.tgname, one.place);
    END LOOP;
END
$$;
ALTER TABLE consensus RENAME TO votes;
ALTER TABLE votes RENAME CONSTRAINT consensus_pkey TO votes_pkey;
ALTER TABLE votes ALTER COLUMN consensus_data TYPE json USING consensus_data::text::json;
INSERT INTO merges (image_id, source_result_ids, services, awaiting, dropped, boxes, version, calibration)
SELECT DISTINCT ON (image_id) image_id, source_result_ids, '{}', '{}', '{}', 0, version, calibration
FROM merged_boxes AS b WHERE NOT EXISTS (SELECT FROM merges AS m WHERE m.image_id = b.image_id) ORDER BY image_id;
UPDATE merges AS m
SET box_rows = b.box_rows,
    failed = ARRAY(SELECT jsonb_array_elements_text(CASE jsonb_typeof(b.failed) WHEN 'array' THEN b.failed ELSE '[]' END))
FROM (SELECT image_id, (array_agg(merged_data -> 'failed_services'))[1] AS failed,
             json_agg(json_build_object(
                 'anchor', anchor, 'box_key', box_key, 'merged_id', merged_id,
                 'data', CASE jsonb_typeof(merged_data) WHEN 'object'
                         THEN merged_data - '{services,awaiting_services,failed_services}'::text[] ELSE merged_data END
             ) ORDER BY merged_id) AS box_rows
      FROM merged_boxes GROUP BY image_id) AS b
WHERE b.image_id = m.image_id;
INSERT INTO enrichments (image_id, answers, updated)
SELECT image_id, json_agg(json_build_object(
           'post_id', post_id, 'merged_box_id', merged_box_id, 'box_key', box_key, 'service', service, 'data', data,
           'error_code', error_code, 'error_message', error_message, 'processing_time', processing_time,
           'attempt', attempt, 'final', final, 'version', version, 'result_created', result_created)
           ORDER BY post_id), max(result_created)
FROM postprocessing GROUP BY image_id;

ALTER TABLE merged_boxes RENAME TO merged_boxes_before;
ALTER TABLE postprocessing RENAME TO postprocessing_before;
CREATE VIEW merged_boxes AS
SELECT m.image_id, b.merged_id, b.box_key, m.source_result_ids,
       CASE json_typeof(b.data) WHEN 'object' THEN b.data::jsonb || jsonb_build_object(
           'services', m.services, 'awaiting_services', m.awaiting, 'failed_services', m.failed)
       ELSE b.data::jsonb END AS merged_data,
       'success'::text AS status, m.created, b.anchor, m.version, m.calibration
FROM merges AS m CROSS JOIN LATERAL json_to_recordset(m.box_rows)
     AS b (merged_id bigint, box_key text, anchor integer[], data json);

CREATE VIEW postprocessing AS
SELECT e.image_id, a.post_id, a.merged_box_id, a.box_key, a.service, a.data,
       CASE WHEN a.error_code IS NULL THEN 'success' ELSE 'error' END AS status, a.error_code, a.processing_time,
       a.result_created, a.error_message, a.attempt, a.final, a.version
FROM enrichments AS e CROSS JOIN LATERAL json_to_recordset(e.answers)
     AS a (post_id bigint, merged_box_id bigint, box_key text, service text, data json, error_code text,
           processing_time real, result_created timestamptz, error_message text, attempt integer, final boolean,
           version integer);
CREATE VIEW consensus AS
SELECT image_id, consensus_data::jsonb AS consensus_data, source_result_ids, processing_time, created, source_merged_ids,
       source_post_ids, version, calibration
FROM votes;
ALTER VIEW consensus ALTER COLUMN created SET DEFAULT clock_timestamp();
ALTER VIEW consensus ALTER COLUMN source_merged_ids SET DEFAULT '{}';
ALTER VIEW consensus ALTER COLUMN source_post_ids SET DEFAULT '{}';
ALTER VIEW consensus ALTER COLUMN version SET DEFAULT 0;
ALTER VIEW consensus ALTER COLUMN calibration SET DEFAULT '';
ALTER VIEW postprocessing ALTER COLUMN attempt SET DEFAULT 1;
ALTER VIEW postprocessing ALTER COLUMN final SET DEFAULT true;
ALTER VIEW postprocessing ALTER COLUMN version SET DEFAULT 0;
ALTER VIEW merged_boxes ALTER COLUMN anchor SET DEFAULT '{0,0,0,0}';

-- A box that somebody writes by hand. `boxes` stays what the merge made, by which a box that is gone is found.
CREATE FUNCTION write_merged_box() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
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
CREATE TRIGGER mark_inserted AFTER INSERT ON votes
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_by_votes();
CREATE TRIGGER mark_updated AFTER UPDATE ON votes
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_by_votes();
CREATE TRIGGER mark_moved AFTER UPDATE ON votes
    FOR EACH ROW WHEN (OLD.image_id <> NEW.image_id) EXECUTE FUNCTION mark_moved_vote();
CREATE TRIGGER mark_deleted AFTER DELETE ON votes
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_by_votes();
CREATE TRIGGER mark_inserted AFTER INSERT ON merges
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_by_merged_boxes();
CREATE TRIGGER mark_updated AFTER UPDATE ON merges
    REFERENCING OLD TABLE AS went NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION mark_by_other_boxes();
CREATE TRIGGER mark_deleted AFTER DELETE ON merges
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_by_merged_boxes();
CREATE TRIGGER mark_inserted AFTER INSERT ON enrichments
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_by_postprocessing();
CREATE TRIGGER mark_updated AFTER UPDATE ON enrichments
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_by_postprocessing();
CREATE TRIGGER mark_deleted AFTER DELETE ON enrichments
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_by_postprocessing();

-- Whoever may use the tables may use the views, what they are made of and the numbers they need.
DO $$
DECLARE
    one   record;
    place record;
BEGIN
    FOR place IN SELECT * FROM (VALUES ('merged_boxes', 'merged_boxes', 'merged_ids'),
                                       ('postprocessing', 'postprocessing, enrichments', 'post_ids')
                               ) AS places (name, names, numbers) LOOP
        FOR one IN SELECT a.privilege_type, a.grantee FROM pg_class AS c CROSS JOIN aclexplode(c.relacl) AS a
                   WHERE c.oid = (place.name || '_before')::regclass AND a.grantee <> c.relowner
                     AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE') LOOP
            EXECUTE format('GRANT %s ON %s TO %s', one.privilege_type, place.names,
                           CASE one.grantee WHEN 0 THEN 'PUBLIC' ELSE one.grantee::regrole::text END);
            EXECUTE format('GRANT USAGE ON SEQUENCE %s TO %s', place.numbers,
                           CASE one.grantee WHEN 0 THEN 'PUBLIC' ELSE one.grantee::regrole::text END);
        END LOOP;
    END LOOP;
    FOR one IN SELECT a.privilege_type, a.grantee FROM pg_class AS c CROSS JOIN aclexplode(c.relacl) AS a
               WHERE c.oid = 'votes'::regclass AND a.grantee <> c.relowner
                 AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE') LOOP
        EXECUTE format('GRANT %s ON consensus TO %s', one.privilege_type,
                       CASE one.grantee WHEN 0 THEN 'PUBLIC' ELSE one.grantee::regrole::text END);
    END LOOP;
END
$$;
DROP TABLE merged_boxes_before, postprocessing_before;

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
       OR EXISTS (SELECT FROM enrichments AS e WHERE e.image_id = w.image_id)
       OR EXISTS (SELECT FROM votes AS c WHERE c.image_id = w.image_id)
       OR EXISTS (SELECT FROM picture_hashes AS h WHERE h.image_id = w.image_id)
       OR EXISTS (SELECT FROM image_search AS i WHERE i.image_id = w.image_id);
    RETURN NULL;
END
$$;
