"""Development stand-ins for the thirteen services, and the pictures with known truth they answer for."""

from importlib.util import find_spec

if not all(map(find_spec, ("numpy", "cv2", "PIL"))):
    raise SystemExit("the farm decodes and draws pictures; install what it needs for that: make setup")
