"""Search rows in PostgreSQL: written by the stage `index`, found by queries, and counted."""
