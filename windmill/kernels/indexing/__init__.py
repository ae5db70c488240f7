"""What is kept of an image to find it by, worked out of the answers about it."""
