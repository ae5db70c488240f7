"""For development: stand-in services (farm), private servers, and the demo. No part of what is installed."""
