"""What is known of one image: its votes with their reasons, boxes, enrichment, and who is awaited or failed."""
