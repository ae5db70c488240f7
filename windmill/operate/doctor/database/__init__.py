"""PostgreSQL: ask queries it, judge* make findings of the answers."""
