-- The results that the demo prints at its end.

-- name: count_derived
SELECT (SELECT count(*) FROM stale) AS marks,
       (SELECT count(*) FROM merged_boxes) AS boxes,
       (SELECT count(DISTINCT image_id) FROM merged_boxes) AS images_with_boxes,
       (SELECT count(*) FROM postprocessing WHERE status = 'success') AS enrichments,
       (SELECT count(*) FROM postprocessing WHERE status = 'error') AS failed_enrichments,
       (SELECT count(*) FROM consensus) AS votes,
       (SELECT coalesce(sum(jsonb_array_length(consensus_data -> 'votes' -> 'consensus')), 0) FROM consensus) AS emojis;

-- name: who_answered
-- What each service says that answers for it.
SELECT service, min(data -> 'metadata' -> 'model_info' ->> 'framework') AS framework
FROM results WHERE status = 'success' GROUP BY service ORDER BY service;

-- name: surest_vote
-- The image with the most votes, and what the services say about it.
SELECT i.image_filename,
       string_agg(format('%s %s (%s)', item ->> 'emoji', item ->> 'probability', item ->> 'votes'), '  '
                  ORDER BY place) AS said
FROM consensus AS c JOIN images AS i USING (image_id),
     jsonb_array_elements(c.consensus_data -> 'votes' -> 'consensus') WITH ORDINALITY AS vote (item, place)
WHERE place <= 6
GROUP BY i.image_id
ORDER BY sum((item ->> 'votes')::integer) DESC, i.image_id
LIMIT 1;
