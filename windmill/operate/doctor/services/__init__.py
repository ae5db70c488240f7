"""The services: ask sends each a request without an image, judge makes findings of the replies."""
