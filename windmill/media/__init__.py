"""Media files: reading, checking and cutting them. Images so far."""
