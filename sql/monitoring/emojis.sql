-- What do most images show, according to the votes?
SELECT item ->> 'emoji' AS emoji, COUNT(*) AS images, ROUND(AVG((item ->> 'probability')::numeric), 3) AS probability,
       ROUND(AVG((item ->> 'votes')::numeric), 1) AS votes
FROM consensus, jsonb_array_elements(consensus_data -> 'votes' -> 'consensus') AS item
GROUP BY item ->> 'emoji' ORDER BY images DESC, emoji LIMIT 50;
