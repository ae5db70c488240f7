"""PostgreSQL: the connection, the named statements of sql/, migrations, and the rows of `results`."""
