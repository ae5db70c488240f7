"""For development: stand-in services (farm), private servers, and the demo. Not part of the wheel."""
