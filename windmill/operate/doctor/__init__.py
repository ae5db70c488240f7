"""python -m windmill doctor: tests everything that this machine needs in order to run Windmill, and changes nothing.

Each area is a module or a package whose functions return findings. Modules that do I/O are called ask, pure ones judge.
"""
