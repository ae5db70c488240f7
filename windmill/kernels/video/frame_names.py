"""What frames of videos are called among the images of the fleet, so that an image leads back to its moment. Pure."""

import re

_NAMED = re.compile(r"frame_\d+_(\d+\.\d\d)s(?:-|$)")


def frame_name(frame: int, seconds: float) -> str:
    """By number and time."""
    return f"frame_{frame:06d}_{seconds:.2f}s"


def moment_of_frame(name: str) -> float | None:
    """The second of the video at which it is shown; None if the name is none of a frame."""
    found = _NAMED.match(name)
    return float(found[1]) if found else None
