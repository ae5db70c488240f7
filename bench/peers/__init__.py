"""The worker of each library, written as its own documentation shows; every module also sends its jobs.

All of them acknowledge when a job is done, and none writes a line of log for each job.
"""
