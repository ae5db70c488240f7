"""The interface of the stylising service: one file or a prompt in, a job's id out, and its state to poll."""
