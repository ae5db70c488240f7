"""The commands of `windmill`: one module for each group, with its arguments and its output."""
