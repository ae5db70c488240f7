"""The steps on videos. `forms` says what presets may ask of them, and loads nothing else."""
