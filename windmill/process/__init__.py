"""Running a process: start, signals, exit codes, log, health, metrics, systemd, heartbeat."""
