-- The tables spread over several machines by Citus, each image with all that is known of it on one of them. Run by hand,
-- once, in an empty database with the extension, after `python -m windmill migrate`; before it, read docs/scaling.md:
-- nobody has run a fleet on Citus yet, and the post-processors cannot run on it as they are.

-- Small tables that every machine has a copy of.
SELECT create_reference_table('stages');
SELECT create_reference_table('feeds');
SELECT create_reference_table('runs');

-- Citus keeps no triggers on what it distributes. Without them rows are not counted (status shows none) and leave no marks.
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT tgname, tgrelid::regclass AS place FROM pg_trigger
               WHERE NOT tgisinternal
                 AND tgrelid IN ('images'::regclass, 'results'::regclass, 'merged_boxes'::regclass,
                                 'postprocessing'::regclass) LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', one.tgname, one.place);
    END LOOP;
END
$$;
-- Unique only among the images of one machine, so that Citus refuses it: register an image once.
DROP INDEX images_location;

SELECT create_distributed_table('results', 'image_id');
SELECT create_distributed_table('images', 'image_id', colocate_with => 'results');
SELECT create_distributed_table('merges', 'image_id', colocate_with => 'results');
SELECT create_distributed_table('merged_boxes', 'image_id', colocate_with => 'results');
SELECT create_distributed_table('postprocessing', 'image_id', colocate_with => 'results');
SELECT create_distributed_table('consensus', 'image_id', colocate_with => 'results');
SELECT create_distributed_table('stale', 'image_id', colocate_with => 'results');
