"""A perceptual hash: 64 bits that hardly change with the size, the format and the quality of a picture.

Which of the 64 lowest frequencies of its greys are above their median, as most programs that hash pictures do it. In
plain Python, as the process that decodes strangers' pictures has little memory.
"""

import math
from collections.abc import Sequence
from operator import mul

VERSION = 1
"""Increase it when the same picture gets another hash."""
SIDE = 32
"""The picture is shrunk to a square of this side, in grey."""
_LOWEST = 8
_COSINES = [
    [math.cos(math.pi * (2 * place + 1) * wave / (2 * SIDE)) for place in range(SIDE)] for wave in range(_LOWEST)
]


def perceptual_hash(greys: Sequence[int]) -> int:
    """Of the greys of the square, row by row; with a sign, as PostgreSQL keeps 64 bits in a bigint."""
    frequencies = _lowest_frequencies(greys)
    ordered = sorted(frequencies)
    median = (ordered[len(ordered) // 2 - 1] + ordered[len(ordered) // 2]) / 2
    bits = 0
    for one in frequencies:
        bits = bits << 1 | (one > median)
    return bits - 2**64 if bits >= 2**63 else bits


def _lowest_frequencies(greys: Sequence[int]) -> list[float]:
    """Those of the cosine transform, rounded, so that an even picture has no frequencies but noughts."""
    rows = [greys[start : start + SIDE] for start in range(0, SIDE * SIDE, SIDE)]
    across = [[_product(row, wave) for wave in _COSINES] for row in rows]
    down = list(zip(*across, strict=True))
    scale = [math.sqrt((1 if wave == 0 else 2) / SIDE) for wave in range(_LOWEST)]
    return [
        round(scale[high] * scale[wide] * _product(down[wide], _COSINES[high]), 2)
        for high in range(_LOWEST)
        for wide in range(_LOWEST)
    ]


def _product(one: Sequence[float], other: Sequence[float]) -> float:
    return math.fsum(map(mul, one, other))
