-- Changes that people make by hand, which the triggers so far did not see.

-- Rows that a stage computes and nobody else reads: whoever else changes, moves or deletes one gets it made anew. The
-- condition stands in the trigger, so that what the stage itself writes does not even call the function.
CREATE FUNCTION mark_own_stage() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO stale (stage, image_id)
    SELECT DISTINCT s.stage, c.image_id FROM changed AS c JOIN stages AS s ON s.stage = TG_ARGV[0];
    RETURN NULL;
END
$$;

DO $$
DECLARE
    one record;
    event record;
BEGIN
    FOR one IN SELECT * FROM (VALUES ('merges', 'merge'), ('consensus', 'consensus')) AS derived (place, stage) LOOP
        FOR event IN SELECT * FROM (VALUES ('mark_inserted', 'INSERT', 'NEW'), ('mark_updated', 'UPDATE', 'NEW'),
                                           ('mark_moved', 'UPDATE', 'OLD'), ('mark_deleted', 'DELETE', 'OLD')
                                   ) AS events (name, kind, version) LOOP
            EXECUTE format('CREATE TRIGGER %I AFTER %s ON %I REFERENCING %s TABLE AS changed FOR EACH STATEMENT
                            WHEN (current_setting(''windmill.stage'', true) IS DISTINCT FROM %L)
                            EXECUTE FUNCTION mark_own_stage(%L)',
                           event.name, event.kind, one.place, event.version, one.stage, one.stage);
        END LOOP;
    END LOOP;
END
$$;

-- An image that is deleted takes its answers along, and by their marks all that derives from them. What derives from
-- no answer any more is marked here. Results are still no foreign keys: those of images that never were registered stay.
CREATE FUNCTION delete_answers_of_deleted_images() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM results AS r USING went AS w WHERE r.image_id = w.image_id;
    INSERT INTO stale (stage, image_id)
    SELECT s.stage, w.image_id FROM went AS w CROSS JOIN stages AS s
    WHERE EXISTS (SELECT FROM merges AS m WHERE m.image_id = w.image_id)
       OR EXISTS (SELECT FROM merged_boxes AS b WHERE b.image_id = w.image_id)
       OR EXISTS (SELECT FROM postprocessing AS p WHERE p.image_id = w.image_id)
       OR EXISTS (SELECT FROM consensus AS c WHERE c.image_id = w.image_id);
    RETURN NULL;
END
$$;
CREATE TRIGGER delete_answers AFTER DELETE ON images
    REFERENCING OLD TABLE AS went FOR EACH STATEMENT EXECUTE FUNCTION delete_answers_of_deleted_images();
