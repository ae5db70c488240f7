"""What an operator does, as plain functions: no argument parsing, and printing only as text that is returned."""
