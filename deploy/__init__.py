"""What is needed to run Windmill somewhere: `deploy.local` for this machine, files for other places."""
