"""Files that jobs make and use: in a folder, or in a bucket of an object store."""
