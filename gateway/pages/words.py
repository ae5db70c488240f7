"""Numbers, sizes and times as pages write them. Pure; what nobody knows is a dash."""

from datetime import UTC, datetime, timedelta

from markupsafe import Markup, escape

UNKNOWN = "\u2013"
_SPACE = "\u00a0"
_SIZES = ("B", "kB", "MB", "GB", "TB", "PB")
_SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def number(value: float | None) -> str:
    """With commas; a fraction only where it says something: 1,234 and 41.8 and 0.02."""
    if value is None:
        return UNKNOWN
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2f}"


def capped(value: int | None, most: int) -> str:
    """A number that is counted so far only: 10,000+."""
    return number(value) if value is None or value < most else f"{most:,}+"


def count(value: int | None, one: str, many: str = "") -> str:
    """1 image, 2 images."""
    return f"{number(value)}{_SPACE}{one if value == 1 else many or one + 's'}"


def size(value: float | None) -> str:
    """Bytes in units of 1,000: 214 kB, 1.2 GB."""
    if value is None:
        return UNKNOWN
    unit = 0
    while value >= 999.5 and unit < len(_SIZES) - 1:
        value, unit = value / 1_000, unit + 1
    return f"{value:.1f}{_SPACE}{_SIZES[unit]}" if unit > 1 and value < 10 else f"{value:.0f}{_SPACE}{_SIZES[unit]}"


def probability(value: float | None) -> str:
    """Two digits without the nought: .94. Beside a label a bare 1 would be read as its number."""
    if value is None:
        return UNKNOWN
    return "1.0" if value >= 0.995 else f"{max(value, 0):.2f}"[1:]


def sentence(text: str) -> str:
    """A remedy as it is written beside its code, as a sentence of its own: names within it stay as they are."""
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in ".?:\u201d" else ".")


def breakable(name: str) -> Markup:
    """A name that a narrow column breaks after an underscore, and stays one word for whoever copies it."""
    return Markup("_<wbr>").join(escape(part) for part in name.split("_"))


def percent(part: float | None, whole: float | None) -> str:
    """65.5 %; never 100 before all is there."""
    if part is None or not whole:
        return UNKNOWN
    share = min(part / whole * 100, 100)
    shown = 99.9 if 99.95 <= share < 100 else share
    return f"{shown:.0f}{_SPACE}%" if shown == int(shown) else f"{shown:.1f}{_SPACE}%"


def span(seconds: float | None) -> str:
    """What was measured, in its two greatest units: 2 min 37 s."""
    if seconds is None:
        return UNKNOWN
    if 0 < seconds < 1:
        return f"{seconds * 1_000:.0f}{_SPACE}ms"
    left, parts = max(round(seconds), 0), []
    for length, unit in _SPANS:
        if left >= length:
            parts.append(f"{left // length}{_SPACE}{unit}")
        left %= length
    return f"{_SPACE}".join(parts[:2]) or f"0{_SPACE}s"


def playtime(seconds: float) -> str:
    """A moment of a recording, as players write it: 3:34, or 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def estimate(seconds: float | None) -> str:
    """What is only expected, in one unit: 2.6 h. Nothing left is done."""
    if seconds is None:
        return UNKNOWN
    if seconds <= 0:
        return "done"
    length, unit = next(((length, unit) for length, unit in _SPANS if seconds >= length), _SPANS[-1])
    value = seconds / length
    return f"{value:.1f}{_SPACE}{unit}" if value < 10 and length > 60 else f"{value:.0f}{_SPACE}{unit}"


def ago(moment: datetime | None, now: datetime) -> str:
    """4 min ago, in one unit."""
    if moment is None:
        return "never"
    seconds = max((now - moment).total_seconds(), 0)
    length, unit = next(((length, unit) for length, unit in _SPANS if seconds >= length), _SPANS[-1])
    return "just now" if seconds < 1 else f"{seconds // length:.0f}{_SPACE}{unit} ago"


def clock(moment: datetime | None, now: datetime) -> str:
    """Of today the time, 09:41; of another day that too, 12 May 09:41. In UTC."""
    if moment is None:
        return UNKNOWN
    here, today = moment.astimezone(UTC), now.astimezone(UTC).date()
    if here.date() == today:
        return f"{here:%H:%M}"
    is_near = abs(here.date() - today) < timedelta(days=300)
    return f"{here.day}{_SPACE}{here:%b %H:%M}" if is_near else f"{here.day}{_SPACE}{here:%b %Y}"
