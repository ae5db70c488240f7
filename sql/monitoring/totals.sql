-- How many rows are there in total?
SELECT COUNT(*) as total_images FROM images;
SELECT COUNT(*) as total_merged_boxes FROM merged_boxes;
SELECT COUNT(*) as total_enrichments FROM postprocessing;
