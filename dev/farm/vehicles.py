"""Vehicles, so drawn that nobody takes one for another."""

from collections.abc import Callable, Mapping

from dev.farm.pictures import Pixels
from dev.farm.strokes import Color, ellipse, line, mixed, part, rectangle, rounded
from dev.farm.truth import PixelBox

_TYRE, _HUB = (25, 25, 28), (150, 150, 155)


def draw_vehicle(canvas: Pixels, label: str, box: PixelBox, color: Color, accent: Color) -> None:
    """Those without a drawing of their own look like a car."""
    _DRAWN.get(label, _draw_car)(canvas, box, color, accent)


def _draw_car(canvas: Pixels, box: PixelBox, color: Color, accent: Color) -> None:
    rounded(canvas, part(box, 0.0, 0.3, 1.0, 0.52), color)
    rounded(canvas, part(box, 0.15, 0.0, 0.7, 0.5), color)
    for window in (0.22, 0.53):
        rectangle(canvas, part(box, window, 0.08, 0.25, 0.24), accent)
    for wheel in (0.12, 0.66):
        ellipse(canvas, part(box, wheel, 0.62, 0.22, 0.38), _TYRE)
        ellipse(canvas, part(box, wheel + 0.06, 0.72, 0.1, 0.18), _HUB)


def _draw_bus(canvas: Pixels, box: PixelBox, color: Color, accent: Color) -> None:
    """A high box with a row of windows, a door at its front, and small wheels."""
    dark = mixed(color, (0, 0, 0), 0.4)
    rounded(canvas, part(box, 0.0, 0.0, 1.0, 0.88), color)
    rectangle(canvas, part(box, 0.0, 0.58, 1.0, 0.07), dark)
    for window in (0.05, 0.235, 0.42, 0.605):
        rectangle(canvas, part(box, window, 0.16, 0.15, 0.32), accent)
    rectangle(canvas, part(box, 0.8, 0.14, 0.15, 0.72), dark)
    for leaf in (0.815, 0.885):
        rectangle(canvas, part(box, leaf, 0.18, 0.05, 0.6), accent)
    for wheel in (0.14, 0.58):
        ellipse(canvas, part(box, wheel, 0.76, 0.15, 0.24), _TYRE)
        ellipse(canvas, part(box, wheel + 0.045, 0.83, 0.06, 0.1), _HUB)


def _draw_bicycle(canvas: Pixels, box: PixelBox, color: Color, accent: Color) -> None:
    """Two thin wheels with spokes, and a frame that one sees through."""
    _, _, width, height = box
    stroke = max(1, round(min(width, height) / 16))
    for left in (0.0, 0.58):
        wheel = part(box, left, 0.37, 0.42, 0.63)
        for begin, end in (((0.05, 0.5), (0.95, 0.5)), ((0.5, 0.05), (0.5, 0.95))):
            line(canvas, wheel, begin, end, _HUB, stroke // 3)
        ellipse(canvas, wheel, _TYRE, stroke)
    rear, crank, seat, head, front = (0.21, 0.685), (0.46, 0.7), (0.36, 0.25), (0.7, 0.25), (0.79, 0.685)
    for begin, end in ((rear, crank), (rear, seat), (seat, crank), (seat, head), (head, crank), (head, front)):
        line(canvas, box, begin, end, color, stroke)
    line(canvas, box, seat, (0.33, 0.12), color, stroke)
    rounded(canvas, part(box, 0.24, 0.07, 0.2, 0.08), accent)
    line(canvas, box, head, (0.67, 0.06), color, stroke)
    line(canvas, box, (0.67, 0.06), (0.8, 0.06), accent, stroke)
    ellipse(canvas, part(box, 0.42, 0.64, 0.08, 0.12), accent)


_DRAWN: Mapping[str, Callable[[Pixels, PixelBox, Color, Color], None]] = {
    "bus": _draw_bus,
    "bicycle": _draw_bicycle,
}
