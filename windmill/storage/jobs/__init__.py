"""The tables of jobs. Whoever changes a job, its steps or the number of its tasks first locks the job's row."""
