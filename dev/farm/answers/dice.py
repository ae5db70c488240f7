"""Chance that repeats itself: the same question about the same picture always falls the same way."""

import random

Prediction = dict[str, object]


def dice(*parts: object) -> random.Random:
    """A generator decided by the parts alone, on any machine."""
    return random.Random("|".join(str(part) for part in parts))


def clipped(value: float, low: float = 0.0, high: float = 1.0) -> float:
    """The value, or the nearer limit."""
    return min(max(value, low), high)


def confidence(value: float) -> float:
    """As the services print it: three decimals, from 0 to 1."""
    return round(clipped(value), 3)
