"""For development: stand-in services (farm), private servers, and the demo. Not part of the wheel."""

import windmill  # noqa: F401 - a Python without the libraries is told so before it meets one
