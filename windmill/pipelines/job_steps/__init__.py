"""The steps of jobs that presets are made of, and the catalog of all of them."""
