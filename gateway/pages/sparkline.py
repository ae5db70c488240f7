"""A small line without axes, drawn as SVG. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 96, 20
_TOP, _BOTTOM = 2, 18


@dataclass(frozen=True)
class Sparkline:
    """`path` is the attribute `d`; the dot at the end is now. `off` and `bad` colour it."""

    path: str
    end: int
    label: str
    tone: str = ""


def sparkline(values: Sequence[float], label: str, tone: str = "") -> Sparkline:
    """From nought to the greatest value; without values it lies flat."""
    shown = list(values) or [0.0, 0.0]
    if len(shown) == 1:
        shown *= 2
    most = max(*shown, 0.0)
    heights = [round(_BOTTOM - (_BOTTOM - _TOP) * value / most) if most else _BOTTOM for value in shown]
    step = WIDTH / (len(shown) - 1)
    points = " ".join(f"{round(index * step)} {height}" for index, height in enumerate(heights))
    return Sparkline(f"M{points}", heights[-1], label, tone)
