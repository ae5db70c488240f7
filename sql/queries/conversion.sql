-- Derived rows that still stand as they did before migration 34: decisions/0027. While there are any, so are functions of
-- that migration which convert them.

-- name: is_converting
SELECT EXISTS (SELECT FROM derived_conversion);

-- name: read_conversion
-- No row once all are converted. `images` were converted in batches, others because they changed.
SELECT sum(pages)::bigint AS pages, sum(pages_left)::bigint AS pages_left, sum(images)::bigint AS images
FROM derived_conversion HAVING count(*) > 0;

-- name: convert_next_rows
-- Those in the next $1 pages of the tables of before. `images` is NULL if another process is at it.
SELECT images, waiting, pages_left FROM convert_next_rows($1);

-- name: end_conversion
-- Drops the tables of before; false if another process does so, or there are rows left after all.
SELECT end_conversion();

-- name: convert_images
SELECT convert_derived_rows($1::bigint[]);

-- name: delete_blind_answers_of_before
-- What delete_blind_enrichments does, for answers that are not converted yet.
DELETE FROM postprocessing_before AS p USING canaries AS c
WHERE c.service = $1 AND p.service = $1 AND p.status = 'success'
  AND p.result_created BETWEEN c.found_at AND c.recovered_at + make_interval(secs => $3)
  AND finds_nothing(p.data -> 'predictions', $2);
