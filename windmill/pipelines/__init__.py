"""What a user can ask for: presets, and the steps that they are made of."""
