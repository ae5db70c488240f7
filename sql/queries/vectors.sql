-- Vectors by which services compare images. The statement that an index carries out is composed in
-- windmill/storage/search/alike.py, as the number of dimensions is a part of the index.

-- name: read_vector_digests
SELECT image_id, service, place, digest FROM image_vectors WHERE image_id = ANY ($1::bigint[]);

-- name: delete_vectors
DELETE FROM image_vectors AS v USING unnest($1::bigint[], $2::text[], $3::smallint[]) AS gone (image_id, service, place)
WHERE v.image_id = gone.image_id AND v.service = gone.service AND v.place = gone.place;

-- name: insert_vectors
-- Lists are text with commas.
INSERT INTO image_vectors (image_id, service, place, digest, numbers)
SELECT image_id, service, place, digest, string_to_array(numbers, ',')::real[]
FROM unnest($1::bigint[], $2::text[], $3::smallint[], $4::bigint[], $5::text[])
     AS new (image_id, service, place, digest, numbers)
ON CONFLICT (image_id, service, place) DO UPDATE SET digest = EXCLUDED.digest, numbers = EXCLUDED.numbers;

-- name: read_vectors
-- Those of the image $1, in the order of their services.
SELECT service, numbers FROM image_vectors WHERE image_id = $1 ORDER BY service, place;

-- name: has_vector_index
-- Whether somebody has made an index with the extension vector for the service $1 and $2 dimensions, as docs/search.md
-- shows.
SELECT EXISTS (
    SELECT FROM pg_index AS i WHERE i.indrelid = 'image_vectors'::regclass AND i.indisvalid
    AND pg_get_indexdef(i.indexrelid) LIKE '%vector_cosine_ops%'
    AND pg_get_indexdef(i.indexrelid) LIKE '%(' || $2::integer || ')%'
    AND pg_get_expr(i.indpred, i.indrelid) LIKE '%''' || $1::text || '''%'
);

-- name: plan_for_vectors
-- In this transaction: an index looks at $1 candidates, and a plan is made for each service.
SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_seqscan', 'off', true),
       set_config('hnsw.ef_search', $1::text, true);

-- name: newest_vectors
-- At most $5 of the service $1 with $2 dimensions, below the image $3 and its place $4, as the server sends arrays.
SELECT image_id, place, array_send(numbers) AS sent FROM image_vectors
WHERE (image_id, place) < ($3::bigint, $4::smallint) AND service = $1 AND cardinality(numbers) = $2
ORDER BY image_id DESC, place DESC LIMIT $5;
