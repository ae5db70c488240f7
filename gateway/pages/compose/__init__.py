"""A new job out of a form that is made of what its preset takes."""
