-- The search rows: what the stage `index` reads and writes. Statements that search are composed in
-- windmill/storage/search, as each query has conditions of its own.

-- name: read_search_sources
-- The digest of all that the search row of each image is made from; read before the rows themselves, so that a row which
-- changes meanwhile is seen as changed.
SELECT one AS image_id, search_sources(one) AS sources FROM unnest($1::bigint[]) AS one;

-- name: read_search_rows
SELECT s.image_id, s.taken, s.sources, s.phash, s.version, s.width, s.height, s.persons, s.faces, s.nsfw, s.label_p,
       s.text, (SELECT t.term FROM search_terms AS t WHERE t.term_id = s.camera) AS camera,
       ARRAY (SELECT t.term FROM unnest(s.labels) WITH ORDINALITY AS l (term_id, place)
              JOIN search_terms AS t USING (term_id) ORDER BY l.place) AS labels,
       ARRAY (SELECT t.term FROM unnest(s.colours) WITH ORDINALITY AS l (term_id, place)
              JOIN search_terms AS t USING (term_id) ORDER BY l.place) AS colours
FROM image_search AS s WHERE s.image_id = ANY ($1::bigint[]);

-- name: find_search_terms
SELECT t.term_id, t.kind, t.term
FROM unnest($1::text[], $2::text[]) AS wanted (kind, term) JOIN search_terms AS t USING (kind, term);

-- name: add_search_terms
-- $1 and $2 in one order everywhere, so that two who add the same terms wait for each other and never deadlock.
INSERT INTO search_terms (kind, term) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING;

-- name: match_search_terms
-- At most $3 terms of the kind $1 that are like $2.
SELECT term_id FROM search_terms WHERE kind = $1 AND term LIKE $2 ORDER BY term LIMIT $3;

-- name: count_search_terms
SELECT term_id, sum(images)::bigint AS images FROM search_counts WHERE term_id = ANY ($1::integer[]) GROUP BY term_id;

-- name: count_taken
-- How many images were taken from $1 on and before $2, at most $3.
SELECT count(*) FROM (
    SELECT FROM image_search
    WHERE taken IS NOT NULL AND taken >= coalesce($1::timestamptz, '-infinity') AND taken < coalesce($2::timestamptz, 'infinity')
    ORDER BY taken LIMIT $3
) AS found;

-- name: has_substring_index
-- Whether somebody has made an index with pg_trgm, as docs/search.md shows.
SELECT EXISTS (
    SELECT FROM pg_index AS i WHERE i.indrelid = 'image_search'::regclass AND i.indisvalid
    AND pg_get_indexdef(i.indexrelid) LIKE '%gin_trgm_ops%'
);

-- name: plan_for_walk
-- In this transaction: rows come in the order of an index. A plan is made for each query, as what is asked for decides.
SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true),
       set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true),
       set_config('enable_indexscan', 'on', true), set_config('enable_indexonlyscan', 'on', true);

-- name: plan_for_candidates
-- In this transaction: indexes of conditions find the rows, in any order.
SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true),
       set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'on', true),
       set_config('enable_indexscan', 'off', true), set_config('enable_indexonlyscan', 'off', true);

-- name: touch_search_rows
-- Rows that are as they were, though made from other rows.
UPDATE image_search AS s SET sources = new.sources, version = $3, indexed_at = clock_timestamp()
FROM unnest($1::bigint[], $2::bigint[]) AS new (image_id, sources) WHERE s.image_id = new.image_id;

-- name: delete_search_rows
DELETE FROM image_search WHERE image_id = ANY ($1::bigint[]);

-- name: insert_search_rows
-- Lists are text with commas.
INSERT INTO image_search (image_id, taken, sources, phash, version, width, height, camera, persons, faces, nsfw, labels,
                          label_p, colours, text)
SELECT image_id, taken, sources, phash, $15, width, height, camera, persons, faces, nsfw,
       string_to_array(labels, ',')::integer[], string_to_array(label_p, ',')::smallint[],
       string_to_array(colours, ',')::integer[], text
FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[], $4::bigint[], $5::integer[], $6::integer[], $7::integer[],
            $8::smallint[], $9::smallint[], $10::smallint[], $11::text[], $12::text[], $13::text[], $14::text[])
     AS new (image_id, taken, sources, phash, width, height, camera, persons, faces, nsfw, labels, label_p, colours, text);

-- name: read_hit_images
SELECT image_id, image_filename, image_path, image_url, image_group FROM images WHERE image_id = ANY ($1::bigint[]);

-- name: read_hit_groups
SELECT image_id, array_agg(image_group ORDER BY image_group) AS groups
FROM image_groups WHERE image_id = ANY ($1::bigint[]) GROUP BY image_id;

-- name: count_hit_facets
-- How many of the images $1 have each value, at most $2 values of each field.
WITH hits AS MATERIALIZED (
    SELECT labels, colours, camera, persons, faces, nsfw, taken FROM image_search WHERE image_id = ANY ($1::bigint[])
), terms AS (
    SELECT term_id, count(*) AS images
    FROM hits, unnest(array_remove(labels || colours || camera, NULL)) AS term_id GROUP BY term_id
), ranked AS (
    SELECT t.kind AS field, t.term AS value, c.images,
           row_number() OVER (PARTITION BY t.kind ORDER BY c.images DESC, t.term) AS place
    FROM terms AS c JOIN search_terms AS t USING (term_id)
)
SELECT field, value, images FROM ranked WHERE place <= $2
UNION ALL
(SELECT 'persons', least(persons, 10)::text, count(*) FROM hits WHERE persons IS NOT NULL GROUP BY least(persons, 10))
UNION ALL
(SELECT 'faces', least(faces, 10)::text, count(*) FROM hits WHERE faces IS NOT NULL GROUP BY least(faces, 10))
UNION ALL
(SELECT 'nsfw', CASE WHEN nsfw >= 500 THEN 'yes' ELSE 'no' END, count(*) FROM hits WHERE nsfw IS NOT NULL GROUP BY nsfw >= 500)
UNION ALL
(SELECT 'year', extract(year FROM taken AT TIME ZONE 'UTC')::integer::text, count(*) FROM hits WHERE taken IS NOT NULL
 GROUP BY extract(year FROM taken AT TIME ZONE 'UTC'));

-- name: count_all_facets
-- The same of all images, for labels, colours and cameras, from what is counted anyway; at most $1 values of each.
WITH ranked AS (
    SELECT t.kind AS field, t.term AS value, sum(c.images)::bigint AS images,
           row_number() OVER (PARTITION BY t.kind ORDER BY sum(c.images) DESC, t.term) AS place
    FROM search_counts AS c JOIN search_terms AS t USING (term_id) GROUP BY t.kind, t.term
)
SELECT field, value, images FROM ranked WHERE place <= $1 AND images > 0;

-- name: find_similar_images
-- At most $3 images whose hash differs in at most $2 bits from that of the image $1: one quarter of it is then the same.
WITH sought AS (SELECT image_id, phash FROM image_search WHERE image_id = $1 AND phash IS NOT NULL)
SELECT s.image_id, bit_count((s.phash # w.phash)::bit(64))::integer AS distance
FROM sought AS w JOIN image_search AS s ON s.phash IS NOT NULL AND s.image_id <> w.image_id
     AND (s.phash >> 48 & 65535 = w.phash >> 48 & 65535 OR s.phash >> 32 & 65535 = w.phash >> 32 & 65535
          OR s.phash >> 16 & 65535 = w.phash >> 16 & 65535 OR s.phash & 65535 = w.phash & 65535)
WHERE bit_count((s.phash # w.phash)::bit(64)) <= $2
ORDER BY distance LIMIT $3;

-- name: find_look
-- The perceptual hash of the image $1, and its labels with a probability of $2 thousandths or more.
SELECT image_id, phash, ARRAY (SELECT l.label FROM unnest(labels, label_p) AS l (label, p) WHERE l.p >= $2) AS labels
FROM image_search WHERE image_id = $1;

-- name: find_with_labels
-- The likely labels of at most $3 images that have one of the labels $1.
SELECT image_id, ARRAY (SELECT l.label FROM unnest(labels, label_p) AS l (label, p) WHERE l.p >= $2) AS labels
FROM image_search WHERE labels && $1::integer[] LIMIT $3;

-- name: newest_labels
-- The likely labels of the $2 newest images.
SELECT image_id, ARRAY (SELECT l.label FROM unnest(labels, label_p) AS l (label, p) WHERE l.p >= $1) AS labels
FROM image_search ORDER BY image_id DESC LIMIT $2;

-- name: save_search
-- A second one of the same name takes the place of the first.
INSERT INTO saved_searches (principal, name, query) VALUES ($1, $2, $3)
ON CONFLICT (principal, name) DO UPDATE SET query = EXCLUDED.query, created_at = clock_timestamp()
RETURNING search_id, name, query, created_at, xmax = 0 AS new;

-- name: list_searches
-- At most $2, those of the principal $1, or of everybody if it is NULL.
SELECT search_id, name, query, created_at FROM saved_searches
WHERE $1::text IS NULL OR principal = $1 ORDER BY name, search_id LIMIT $2;

-- name: delete_search
DELETE FROM saved_searches WHERE search_id = $1 AND ($2::text IS NULL OR principal = $2) RETURNING name;

-- name: was_indexed_since
SELECT EXISTS (SELECT FROM image_search WHERE image_id > $1 AND image_id <= $2 AND indexed_at >= $3);

-- name: greatest_indexed_image_id
SELECT coalesce(max(image_id), 0) FROM image_search;
