"""Dead letters, the jobs that were given up: listing, redriving and purging what is in the failed queues."""
