"""What was given up."""
