"""What every other package speaks in: errors, settings, the services of the fleet, messages, outcomes."""
