"""When to look at an image that has changed, while more is expected of it."""


def seconds_to_wait(*, more_to_come: bool, looked_at_before: bool, age: float, least: float, most: float) -> float:
    """0 when nothing more is expected. Else a moment before the first look; and before further ones ever longer the
    more time the image has taken so far, so that it is looked at a few times, whether its answers come within a
    second or within an hour."""
    if not more_to_come:
        return 0.0
    return min(most, max(least, 2 * age)) if looked_at_before else min(most, least)
