"""Tone mapping by Reinhard, Stark, Shirley and Ferwerda, "Photographic Tone Reproduction for Digital Images" (2002)."""

import numpy as np

from windmill.kernels.pictures.picture import Picture, Plane, as_picture, as_plane, blend, luminance, to_linear, to_srgb

_DARKEST = 1e-6
"""Added before the logarithm, so that black pixels have one."""


def tone_map(picture: Picture, key: float, strength: float) -> Picture:
    """The picture with its brightness mapped; hue and saturation of its light stay. `strength` blends the original in:
    1 is all mapped, 0 the original."""
    plane = as_plane(picture)
    light = to_linear(plane)
    world = luminance(light)
    gain = (reinhard(world, key) / np.maximum(world, _DARKEST)).astype(np.float32)
    return as_picture(blend(plane, to_srgb((light * gain[..., None]).astype(np.float32)), strength))


def reinhard(world: Plane, key: float) -> Plane:
    """Display brightness of world brightness, equations 1 and 4 of the paper: the geometric mean of the picture becomes
    `key`, and its brightest pixel just white."""
    mean = np.exp(np.mean(np.log(world.astype(np.float64) + _DARKEST)))
    scaled = world * np.float32(key / mean)
    white = max(float(scaled.max(initial=0)), _DARKEST)
    mapped: Plane = (scaled * (1 + scaled / np.float32(white * white)) / (1 + scaled)).astype(np.float32)
    return mapped
