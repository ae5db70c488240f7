"""Sessions: their chunks, speakers and words, as rows."""
