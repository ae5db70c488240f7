-- An image may be in several groups, and may be an exact copy of another, whose answers are then its own.

-- images.image_group stays what it was: the group under which the image was registered first. This table has all of
-- them. An image that was registered before it came into the group was not submitted by the group's runs up to
-- after_run, although their ranges of ids reach over it.
CREATE TABLE image_groups (
    image_group text NOT NULL,
    image_id    bigint NOT NULL,
    after_run   bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (image_group, image_id)
);
CREATE INDEX image_groups_image ON image_groups (image_id);
CREATE INDEX image_groups_late ON image_groups (image_group, image_id) WHERE after_run > 0;
INSERT INTO image_groups (image_group, image_id)
SELECT image_group, image_id FROM images WHERE image_group IS NOT NULL;
DROP INDEX images_group;

-- sample: a short digest of the size and the first bytes of a file, which finds files that may be copies. digest: SHA-256
-- of all bytes, only where another file has the same sample. original_id: the image of which this is a copy; it is not
-- submitted. NULL for images behind URLs and in stores, and for those registered before.
ALTER TABLE images
    ADD COLUMN sample      bigint,
    ADD COLUMN digest      bytea,
    ADD COLUMN original_id bigint;
CREATE INDEX images_sample ON images (sample, image_id) WHERE sample IS NOT NULL;
CREATE INDEX images_copies ON images (original_id) WHERE original_id IS NOT NULL;

-- For each image the one whose results, boxes and votes are its own: itself, or its original.
CREATE VIEW answering_images AS
SELECT image_id, coalesce(original_id, image_id) AS answering_id FROM images;

-- Rows that are written by hand count as well.
CREATE FUNCTION join_groups() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO image_groups (image_group, image_id, after_run)
    SELECT c.image_group, c.image_id,
           CASE TG_OP WHEN 'INSERT' THEN 0
                ELSE coalesce((SELECT max(r.run_id) FROM runs AS r WHERE r.image_group = c.image_group), 0) END
    FROM came AS c
    WHERE c.image_group IS NOT NULL
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE FUNCTION leave_groups() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM image_groups AS g USING went AS w WHERE g.image_id = w.image_id;
    ELSE
        TRUNCATE image_groups;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER join_inserted AFTER INSERT ON images
    REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION join_groups();
CREATE TRIGGER join_updated AFTER UPDATE ON images
    REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION join_groups();
CREATE TRIGGER leave_deleted AFTER DELETE ON images
    REFERENCING OLD TABLE AS went FOR EACH STATEMENT EXECUTE FUNCTION leave_groups();
CREATE TRIGGER leave_truncated AFTER TRUNCATE ON images
    FOR EACH STATEMENT EXECUTE FUNCTION leave_groups();

-- Copies are counted like images and results.
CREATE FUNCTION count_copies() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO row_counts (counted, rows)
        SELECT 'copies', count(*) FROM came WHERE original_id IS NOT NULL HAVING count(*) > 0;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO row_counts (counted, rows)
        SELECT 'copies', -count(*) FROM went WHERE original_id IS NOT NULL HAVING count(*) > 0;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO row_counts (counted, rows)
        SELECT 'copies', sum(change)
        FROM (SELECT 1 AS change FROM came WHERE original_id IS NOT NULL
              UNION ALL SELECT -1 FROM went WHERE original_id IS NOT NULL) AS changed
        HAVING sum(change) <> 0;
    ELSE
        DELETE FROM row_counts WHERE counted = 'copies';
    END IF;
    IF random() < 0.001 THEN
        PERFORM sum_up_row_counts('copies');
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER count_copies_inserted AFTER INSERT ON images
    REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION count_copies();
CREATE TRIGGER count_copies_updated AFTER UPDATE ON images
    REFERENCING OLD TABLE AS went NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION count_copies();
CREATE TRIGGER count_copies_deleted AFTER DELETE ON images
    REFERENCING OLD TABLE AS went FOR EACH STATEMENT EXECUTE FUNCTION count_copies();
CREATE TRIGGER count_copies_truncated AFTER TRUNCATE ON images
    FOR EACH STATEMENT EXECUTE FUNCTION count_copies();

CREATE OR REPLACE FUNCTION recount_rows() RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    LOCK TABLE images, results IN SHARE MODE;
    DELETE FROM row_counts;
    INSERT INTO row_counts (counted, service, error_code, rows)
    SELECT 'results', service, error_code, count(*) FROM results GROUP BY service, error_code
    UNION ALL
    SELECT 'images', NULL, NULL, count(*) FROM images HAVING count(*) > 0
    UNION ALL
    SELECT 'copies', NULL, NULL, count(*) FROM images WHERE original_id IS NOT NULL HAVING count(*) > 0;
END
$$;

-- As before, but the groups of an image are those it was in when the run was started.
CREATE OR REPLACE FUNCTION awaited_services(for_image bigint, for_stage text) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
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
