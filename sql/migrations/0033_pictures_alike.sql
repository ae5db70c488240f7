-- What a picture looks like, as 64 bits, for every registered image that can be read; and the vectors by which services
-- compare images. Both are there to find images that are alike.

-- phash, width and height are of the upright picture; error_code says why it could not be read. fingerprint is that of
-- the file, as in results.
CREATE TABLE picture_hashes (
    image_id    bigint PRIMARY KEY,
    phash       bigint,
    width       integer,
    height      integer,
    fingerprint bigint,
    error_code  text,
    version     integer NOT NULL,
    created     timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((phash IS NULL) = (error_code IS NOT NULL))
);

-- The stage `hash` writes them.
ALTER TABLE stale DROP CONSTRAINT stale_stage_check,
    ADD CONSTRAINT stale_stage_check CHECK (stage IN ('merge', 'enrich', 'consensus', 'hash', 'index'));
ALTER TABLE stages DROP CONSTRAINT stages_stage_check,
    ADD CONSTRAINT stages_stage_check CHECK (stage IN ('merge', 'enrich', 'consensus', 'hash', 'index'));

-- As before; a hash is made of the picture alone, whatever boxes it has.
CREATE OR REPLACE FUNCTION mark_by_merged_boxes() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO stale (stage, image_id)
    SELECT DISTINCT s.stage, c.image_id FROM changed AS c CROSS JOIN stages AS s
    WHERE s.stage <> 'hash'
      AND (s.stage <> 'merge' OR current_setting('windmill.stage', true) IS DISTINCT FROM 'merge');
    RETURN NULL;
END
$$;

-- Images as they are registered, but no copies: their original is found.
CREATE FUNCTION mark_registered_images() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO stale (stage, image_id)
    SELECT s.stage, c.image_id FROM came AS c JOIN stages AS s ON s.stage = 'hash' WHERE c.original_id IS NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER hash_inserted AFTER INSERT ON images
    REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION mark_registered_images();

-- Rare, so row by row.
CREATE FUNCTION mark_moved_image() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO stale (stage, image_id) SELECT s.stage, NEW.image_id FROM stages AS s WHERE s.stage = 'hash';
    RETURN NULL;
END
$$;
CREATE TRIGGER hash_moved AFTER UPDATE ON images FOR EACH ROW
    WHEN ((NEW.image_path, NEW.image_url, NEW.original_id)
          IS DISTINCT FROM (OLD.image_path, OLD.image_url, OLD.original_id))
    EXECUTE FUNCTION mark_moved_image();

-- As before, and the search row is also made of the hash.
CREATE OR REPLACE FUNCTION search_sources(for_image bigint) RETURNS bigint LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT hashtextextended(string_agg(source, '|' ORDER BY source), 0)
    FROM (SELECT 'r' || string_agg(r.result_id::text, ',' ORDER BY r.result_id)
          FROM results AS r JOIN feeds AS f ON f.service = r.service AND f.stage = 'index'
          WHERE r.image_id = for_image
          UNION ALL SELECT 'm' || m.boxes FROM merges AS m WHERE m.image_id = for_image
          UNION ALL SELECT 'b' || string_agg(b.merged_id::text, ',' ORDER BY b.merged_id)
                               || extract(epoch FROM max(b.created))
          FROM merged_boxes AS b WHERE b.image_id = for_image
          UNION ALL SELECT 'p' || string_agg(p.post_id::text, ',' ORDER BY p.post_id)
          FROM postprocessing AS p WHERE p.image_id = for_image
          UNION ALL SELECT 'c' || extract(epoch FROM c.created) FROM consensus AS c WHERE c.image_id = for_image
          UNION ALL SELECT 'h' || h.phash FROM picture_hashes AS h WHERE h.image_id = for_image
         ) AS sources (source)
    WHERE source IS NOT NULL
$$;

DO $$
DECLARE
    event record;
BEGIN
    FOR event IN SELECT * FROM (VALUES ('inserted', 'INSERT', 'NEW'), ('updated', 'UPDATE', 'NEW'),
                                       ('moved', 'UPDATE', 'OLD'), ('deleted', 'DELETE', 'OLD')
                               ) AS events (name, kind, version) LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER %s ON picture_hashes REFERENCING %s TABLE AS changed FOR EACH STATEMENT
                        EXECUTE FUNCTION mark_own_stage(''index'')',
                       'index_' || event.name, event.kind, event.version);
        EXECUTE format('CREATE TRIGGER %I AFTER %s ON picture_hashes REFERENCING %s TABLE AS changed FOR EACH STATEMENT
                        WHEN (current_setting(''windmill.stage'', true) IS DISTINCT FROM ''hash'')
                        EXECUTE FUNCTION mark_own_stage(''hash'')',
                       'mark_' || event.name, event.kind, event.version);
    END LOOP;
END
$$;

-- As before, and of an image that is deleted the hash goes as well.
CREATE OR REPLACE FUNCTION delete_answers_of_deleted_images() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM results AS r USING went AS w WHERE r.image_id = w.image_id;
    INSERT INTO stale (stage, image_id)
    SELECT s.stage, w.image_id FROM went AS w CROSS JOIN stages AS s
    WHERE EXISTS (SELECT FROM merges AS m WHERE m.image_id = w.image_id)
       OR EXISTS (SELECT FROM merged_boxes AS b WHERE b.image_id = w.image_id)
       OR EXISTS (SELECT FROM postprocessing AS p WHERE p.image_id = w.image_id)
       OR EXISTS (SELECT FROM consensus AS c WHERE c.image_id = w.image_id)
       OR EXISTS (SELECT FROM picture_hashes AS h WHERE h.image_id = w.image_id)
       OR EXISTS (SELECT FROM image_search AS i WHERE i.image_id = w.image_id);
    RETURN NULL;
END
$$;

-- Vectors by which services compare images or faces in them, of length 1, as the stage `index` finds them in answers.
-- place counts those of one service. An index of the extension vector may be made for them; nothing needs it.
CREATE TABLE image_vectors (
    image_id bigint NOT NULL,
    service  text COLLATE "C" NOT NULL,
    place    smallint NOT NULL,
    digest   bigint NOT NULL,
    numbers  real[] NOT NULL CHECK (array_ndims(numbers) = 1 AND array_position(numbers, NULL) IS NULL),
    PRIMARY KEY (image_id, service, place)
);
