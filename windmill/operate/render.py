"""Amounts and text from elsewhere as people read them on a terminal; what several views share."""


def render_bytes(count: float) -> str:
    """In the largest unit that leaves at least 1."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def render_span(seconds: float) -> str:
    """A time in its two greatest units, such as 3h12m."""
    whole = max(0, round(seconds))
    minutes, hours, days = whole // 60, whole // 3_600, whole // 86_400
    if days:
        return f"{days}d{hours % 24}h"
    if hours:
        return f"{hours}h{minutes % 60}m"
    return f"{minutes}m{whole % 60}s" if minutes else f"{whole}s"


def render_conversion(share_done: float) -> str:
    """That derived rows of an older form are being converted, and how far it is."""
    return f"post-processors convert derived rows of an older form, {100 * share_done:.0f} % done"


def render_eta(seconds: float | None) -> str | None:
    return None if seconds is None else render_span(seconds)
