-- Distributes the tables over several machines with Citus, keeping all rows of an image on one of them. Run it by hand,
-- once, in an empty database with the extension, after `python -m windmill migrate`. Read docs/scaling.md first: nobody
-- has run a fleet on Citus yet, and the post-processors do not run on it.

-- Small tables; every machine gets a copy.
SELECT create_reference_table('stages');
SELECT create_reference_table('feeds');
SELECT create_reference_table('runs');
SELECT create_reference_table('search_terms');

-- Citus does not support triggers on distributed tables. Without them rows are not counted (status shows none) and
-- leave no marks.
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT tgname, tgrelid::regclass AS place FROM pg_trigger
               WHERE NOT tgisinternal
                 AND tgrelid IN ('images'::regclass, 'results'::regclass, 'merges'::regclass,
                                 'enrichments'::regclass, 'votes'::regclass, 'picture_hashes'::regclass,
                                 'image_search'::regclass, 'stale'::regclass) LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', one.tgname, one.place);
    END LOOP;
END
$$;
-- Citus refuses this index, because it is unique only within each machine. So register each image only once.
DROP INDEX images_location;

SELECT create_distributed_table('results', 'image_id');
SELECT create_distributed_table('images', 'image_id', colocate_with => 'results');
SELECT create_distributed_table('image_groups', 'image_id', colocate_with => 'results');
SELECT create_distributed_table('merges', 'image_id', colocate_with => 'results');
SELECT create_distributed_table('enrichments', 'image_id', colocate_with => 'results');
SELECT create_distributed_table('votes', 'image_id', colocate_with => 'results');
SELECT create_distributed_table('picture_hashes', 'image_id', colocate_with => 'results');
SELECT create_distributed_table('image_search', 'image_id', colocate_with => 'results');
SELECT create_distributed_table('image_vectors', 'image_id', colocate_with => 'results');
SELECT create_distributed_table('stale', 'image_id', colocate_with => 'results');
