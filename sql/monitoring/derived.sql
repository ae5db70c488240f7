-- What is made of the results, by which version of the algorithm and with which calibration?
SELECT 'merge' AS stage, version, calibration, COUNT(*) AS images FROM merges GROUP BY version, calibration
UNION ALL
SELECT 'enrich', version, '', COUNT(DISTINCT image_id) FROM postprocessing GROUP BY version
UNION ALL
SELECT 'consensus', version, calibration, COUNT(*) FROM consensus GROUP BY version, calibration
ORDER BY 1, 2, 3;
