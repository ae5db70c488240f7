"""One action on many jobs, asked for once and done by the servers."""
