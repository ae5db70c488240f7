"""The interface of the pipeline manager: presets, pictures made by them, and the jobs that make them."""
