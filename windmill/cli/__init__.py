"""The commands of `windmill`: one module per group; each adds its commands to the parser."""
