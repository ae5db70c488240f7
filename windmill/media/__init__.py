"""Media files: reading, checking and cropping them. Images so far, also inside archives."""
