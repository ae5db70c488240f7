"""Debouncing: when to process an image that has changed, while more changes are expected."""


def debounce_seconds(
    *, more_to_come: bool, looked_at_before: bool, age: float, minimum: float, maximum: float
) -> float:
    """0 if no more changes are expected. Otherwise `minimum` before the first pass; later passes wait longer the older
    the image is, so it is processed only a few times whether its answers arrive within a second or within an hour."""
    if not more_to_come:
        return 0.0
    return min(maximum, max(minimum, 2 * age)) if looked_at_before else min(maximum, minimum)


def patience_seconds(*, quiet: float, minimum: float, maximum: float) -> float:
    """How long an image that has all its answers, the last of them `quiet` seconds ago, waits for stages that still
    work on it: as long again as it has waited so far, and no longer than `maximum` in all."""
    return max(0.0, min(max(quiet, minimum), maximum - quiet))
