-- The forks of a job are found by it.
CREATE INDEX jobs_forks ON jobs (forked_from) WHERE forked_from IS NOT NULL;
