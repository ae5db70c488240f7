"""Uploads of every kind that the services tell apart."""

from functools import cache

from dev.farm.contract import MAX_BYTES
from dev.farm.layout import make_scene
from dev.farm.probes import picture
from dev.farm.scenes import encode

NOT_A_PICTURE = b"<svg>these bytes are no picture that can be decoded</svg>"
PLAIN = picture("JPEG")
TRANSPARENT = picture("PNG", "RGBA")
ONE_PIXEL = picture("JPEG", side=1)
TRUNCATED = PLAIN[: len(PLAIN) // 2]
OVERSIZE = PLAIN + bytes(MAX_BYTES)


@cache
def scene(index: int) -> bytes:
    """A drawn picture that carries its truth."""
    return encode(make_scene(11, index))
