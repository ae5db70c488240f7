-- One narrow row for each image, by which images are searched for; and how many images have each label.

-- Labels, colours and cameras by number. Rows are never deleted; nobody has more words than services know.
CREATE TABLE search_terms (
    term_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind    text COLLATE "C" NOT NULL CHECK (kind IN ('label', 'colour', 'camera')),
    term    text COLLATE "C" NOT NULL,
    UNIQUE (kind, term)
);

-- label_p: the probability of each of `labels` in thousandths, the likeliest first; nsfw likewise. text: captions and
-- words in the picture, without case and accents. NULL is unknown. sources: a digest of the rows it was made from.
CREATE TABLE image_search (
    image_id   bigint PRIMARY KEY,
    taken      timestamptz,
    sources    bigint NOT NULL,
    phash      bigint,
    indexed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    version    integer NOT NULL,
    width      integer,
    height     integer,
    camera     integer,
    persons    smallint,
    faces      smallint,
    nsfw       smallint,
    labels     integer[] NOT NULL,
    label_p    smallint[] NOT NULL,
    colours    integer[] NOT NULL,
    text       text NOT NULL
);
-- Without the list of pending entries that these indexes could have: whoever searches would read all of it.
CREATE INDEX image_search_terms ON image_search USING gin (labels, colours) WITH (fastupdate = off);
CREATE INDEX image_search_text ON image_search USING gin (to_tsvector('simple', text)) WITH (fastupdate = off)
    WHERE text <> '';
CREATE INDEX image_search_taken ON image_search (taken) WHERE taken IS NOT NULL;
CREATE INDEX image_search_camera ON image_search (camera) WHERE camera IS NOT NULL;
-- Of two hashes that differ in at most three bits, one of four quarters is the same.
CREATE INDEX image_search_hash_1 ON image_search ((phash >> 48 & 65535)) WHERE phash IS NOT NULL;
CREATE INDEX image_search_hash_2 ON image_search ((phash >> 32 & 65535)) WHERE phash IS NOT NULL;
CREATE INDEX image_search_hash_3 ON image_search ((phash >> 16 & 65535)) WHERE phash IS NOT NULL;
CREATE INDEX image_search_hash_4 ON image_search ((phash & 65535)) WHERE phash IS NOT NULL;

-- How many images have a label, colour or camera is the sum of these; 0 is all images. Only added, as in row_counts.
CREATE TABLE search_counts (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    term_id integer NOT NULL,
    images  bigint NOT NULL
);
CREATE INDEX search_counts_term ON search_counts (term_id);

-- Puts sums in place of what was added; when another does so already, nobody waits.
CREATE FUNCTION sum_up_search_counts() RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF pg_try_advisory_xact_lock(hashtextextended('windmill search_counts', 0)) THEN
        WITH many AS (
            SELECT term_id FROM search_counts GROUP BY term_id HAVING count(*) > 10
        ), taken AS (
            DELETE FROM search_counts AS c USING many AS m WHERE c.term_id = m.term_id RETURNING c.term_id, c.images
        )
        INSERT INTO search_counts (term_id, images)
        SELECT term_id, sum(images) FROM taken GROUP BY term_id HAVING sum(images) <> 0;
    END IF;
END
$$;

CREATE FUNCTION search_terms_of(one image_search) RETURNS SETOF integer LANGUAGE sql IMMUTABLE AS $$
    SELECT unnest(array_remove(0 || one.labels || one.colours || one.camera, NULL))
$$;

CREATE FUNCTION count_search_terms() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO search_counts (term_id, images)
        SELECT term, count(*) FROM came, search_terms_of(came) AS term GROUP BY term;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO search_counts (term_id, images)
        SELECT term, -count(*) FROM went, search_terms_of(went) AS term GROUP BY term;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO search_counts (term_id, images)
        SELECT term, sum(change)
        FROM (SELECT term, 1 AS change FROM came, search_terms_of(came) AS term
              UNION ALL SELECT term, -1 FROM went, search_terms_of(went) AS term) AS changed
        GROUP BY term HAVING sum(change) <> 0;
    ELSE
        DELETE FROM search_counts;
    END IF;
    IF random() < 0.02 THEN
        PERFORM sum_up_search_counts();
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER count_inserted AFTER INSERT ON image_search
    REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION count_search_terms();
CREATE TRIGGER count_updated AFTER UPDATE ON image_search
    REFERENCING OLD TABLE AS went NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION count_search_terms();
CREATE TRIGGER count_deleted AFTER DELETE ON image_search
    REFERENCING OLD TABLE AS went FOR EACH STATEMENT EXECUTE FUNCTION count_search_terms();
CREATE TRIGGER count_truncated AFTER TRUNCATE ON image_search
    FOR EACH STATEMENT EXECUTE FUNCTION count_search_terms();

-- Searches that somebody wants again, each under a name of its own.
CREATE TABLE saved_searches (
    search_id  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    principal  text NOT NULL,
    name       text NOT NULL,
    query      text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (principal, name)
);

-- The stage `index` writes the rows.
ALTER TABLE stale DROP CONSTRAINT stale_stage_check,
    ADD CONSTRAINT stale_stage_check CHECK (stage IN ('merge', 'enrich', 'consensus', 'index'));
ALTER TABLE stages DROP CONSTRAINT stages_stage_check,
    ADD CONSTRAINT stages_stage_check CHECK (stage IN ('merge', 'enrich', 'consensus', 'index'));

-- A digest of all rows from which the search row of an image is made; NULL if there is none.
CREATE FUNCTION search_sources(for_image bigint) RETURNS bigint LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
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
         ) AS sources (source)
    WHERE source IS NOT NULL
$$;

CREATE OR REPLACE FUNCTION mark_by_postprocessing() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO stale (stage, image_id)
    SELECT DISTINCT s.stage, c.image_id FROM changed AS c CROSS JOIN stages AS s
    WHERE s.stage IN ('consensus', 'index')
       OR (s.stage = 'enrich' AND coalesce(current_setting('windmill.stage', true), '') NOT IN ('merge', 'enrich'));
    RETURN NULL;
END
$$;

-- Every new merge and vote leads to a new search row, whoever writes it; one that is changed by hand is made anew.
DO $$
DECLARE
    event record;
    source text;
BEGIN
    FOR event IN SELECT * FROM (VALUES ('inserted', 'INSERT', 'NEW'), ('updated', 'UPDATE', 'NEW'),
                                       ('moved', 'UPDATE', 'OLD'), ('deleted', 'DELETE', 'OLD')
                               ) AS events (name, kind, version) LOOP
        FOREACH source IN ARRAY ARRAY['merges', 'consensus'] LOOP
            EXECUTE format('CREATE TRIGGER %I AFTER %s ON %I REFERENCING %s TABLE AS changed FOR EACH STATEMENT
                            EXECUTE FUNCTION mark_own_stage(''index'')',
                           'index_' || event.name, event.kind, source, event.version);
        END LOOP;
        EXECUTE format('CREATE TRIGGER %I AFTER %s ON image_search REFERENCING %s TABLE AS changed FOR EACH STATEMENT
                        WHEN (current_setting(''windmill.stage'', true) IS DISTINCT FROM ''index'')
                        EXECUTE FUNCTION mark_own_stage(''index'')',
                       'mark_' || event.name, event.kind, event.version);
    END LOOP;
END
$$;

-- As before, and of an image that is deleted the search row goes as well.
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
       OR EXISTS (SELECT FROM image_search AS i WHERE i.image_id = w.image_id);
    RETURN NULL;
END
$$;
