"""Webhooks: other servers that are told what happens to jobs, as https://www.standardwebhooks.com has it."""
