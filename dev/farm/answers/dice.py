"""Reproducible randomness: the same question about the same picture always gets the same numbers."""

import random

Prediction = dict[str, object]


def dice(*parts: object) -> random.Random:
    """A generator seeded by these parts, the same on any machine."""
    return random.Random("|".join(str(part) for part in parts))


def clipped(value: float, low: float = 0.0, high: float = 1.0) -> float:
    """The value, clamped to the limits."""
    return min(max(value, low), high)


def confidence(value: float) -> float:
    """A confidence as the services print it: from 0 to 1, with three decimals."""
    return round(clipped(value), 3)
