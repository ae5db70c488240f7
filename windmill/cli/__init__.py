"""The commands of `windmill`: one module for each group, which adds itself to the parser in one function."""
