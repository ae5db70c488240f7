"""The life of a long-running program: start, signals, log, health, metrics, systemd, heartbeat."""
