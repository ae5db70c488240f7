-- Lists of jobs in some of the states, the newest first, and of those that failed for one reason: few among those that
-- succeeded. All that is asked of a job stands in the index.
CREATE INDEX jobs_status ON jobs (status, job_id) INCLUDE (preset, error_code);
