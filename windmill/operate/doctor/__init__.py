"""python -m windmill doctor: tests everything that this machine needs in order to run Windmill, and changes nothing.

Each area is a module or a folder whose functions return findings; what judges is apart from what asks.
"""
