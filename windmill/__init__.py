"""The fleet's own library: one module for each thing that lies outside the process."""
