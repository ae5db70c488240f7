"""Types that all other packages share: errors, settings, services, stages, job messages, outcomes."""
