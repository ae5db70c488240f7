"""Routes for actions on many jobs, and their shapes."""
