"""The library of the fleet: pure kernels at the bottom, commands on top. docs/architecture.md has the map."""

VERSION = "0.1.0"
