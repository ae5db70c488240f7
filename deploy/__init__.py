"""What is needed to run Windmill somewhere: `dev.servers` for this machine, files for other places."""
