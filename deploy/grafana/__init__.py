"""A dashboard of the whole fleet for Grafana, and the files with which Grafana finds it."""
