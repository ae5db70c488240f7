-- How many images have derived rows, by version of the algorithm and calibration?
SELECT 'merge' AS stage, version, calibration, COUNT(*) AS images FROM merges GROUP BY version, calibration
UNION ALL
SELECT 'enrich', version, '', COUNT(DISTINCT image_id) FROM postprocessing GROUP BY version
UNION ALL
SELECT 'consensus', version, calibration, COUNT(*) FROM consensus GROUP BY version, calibration
UNION ALL
SELECT 'hash', version, '', COUNT(*) FROM picture_hashes GROUP BY version
UNION ALL
SELECT 'index', version, '', COUNT(*) FROM image_search GROUP BY version
ORDER BY 1, 2, 3;
