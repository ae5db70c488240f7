"""python -m windmill doctor: tests everything that this machine needs in order to run Windmill, and changes nothing.

Each area is a module whose functions return findings; what compares is apart from what asks.
"""
