"""The step `export`: what a query finds as files, a range of image ids at a time."""
