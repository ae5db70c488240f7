"""The producers: register images, and publish jobs for them to the services' queues."""

import windmill  # noqa: F401 - a Python without the libraries is told so before it meets one
