"""Vectors by which services compare pictures: `embedding` in an answer, or in what it says of each thing in it."""

import hashlib
import math
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from windmill.kernels.votes.ballots import predictions_of

Vector = tuple[float, ...]
LEAST_NUMBERS, MOST_NUMBERS = 8, 4_096
MOST_VECTORS = 16
"""Of one image and service: faces in a crowd are many."""


def vectors_of(replies: Iterable[Mapping[str, Any]]) -> list[Vector]:
    """Those of all replies of one service about an image, each once and of length 1."""
    found = dict.fromkeys(one for reply in replies for given in _given(reply) if (one := _of_length_one(given)))
    return list(found)[:MOST_VECTORS]


def digest_of(vector: Vector) -> int:
    """By which a vector is recognised; fits into a bigint."""
    return int.from_bytes(hashlib.blake2b(_packed(vector), digest_size=8).digest(), signed=True)


def _given(reply: Mapping[str, Any]) -> Iterator[object]:
    yield reply.get("embedding")
    for one in predictions_of(reply):
        yield one.get("embedding")


def _of_length_one(given: object) -> Vector | None:
    if not isinstance(given, list) or not LEAST_NUMBERS <= len(given) <= MOST_NUMBERS:
        return None
    if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in given):
        return None
    length = math.hypot(*given)
    if not 1e-9 < length < 1e30:
        return None
    return struct.unpack(f"<{len(given)}f", _packed(tuple(one / length for one in given)))


def _packed(vector: Vector) -> bytes:
    return struct.pack(f"<{len(vector)}f", *vector)
