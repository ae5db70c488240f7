"""The status of the fleet: reading, computing and rendering it."""
