"""Vehicles, so drawn that nobody takes one for another."""

from collections.abc import Callable, Mapping

from dev.farm.pictures import Pixels
from dev.farm.strokes import Color, ellipse, filled, line, mixed, part, rectangle, rounded
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


def _draw_motorcycle(canvas: Pixels, box: PixelBox, color: Color, accent: Color) -> None:
    """Two thick wheels, a tank and a seat low between them."""
    _, _, width, height = box
    stroke = max(2, round(min(width, height) / 9))
    for left in (0.02, 0.62):
        wheel = part(box, left, 0.44, 0.36, 0.54)
        ellipse(canvas, wheel, _TYRE, stroke)
        ellipse(canvas, part(wheel, 0.38, 0.38, 0.24, 0.24), _HUB)
    for begin, end in (((0.19, 0.7), (0.5, 0.74)), ((0.81, 0.7), (0.68, 0.1)), ((0.19, 0.7), (0.3, 0.42))):
        line(canvas, box, begin, end, _HUB, stroke // 2)
    rounded(canvas, part(box, 0.36, 0.5, 0.3, 0.34), mixed(color, (0, 0, 0), 0.4))
    rounded(canvas, part(box, 0.42, 0.26, 0.28, 0.26), color)
    rounded(canvas, part(box, 0.12, 0.32, 0.34, 0.14), accent)
    line(canvas, box, (0.6, 0.1), (0.74, 0.1), _TYRE, stroke // 2)


def _draw_truck(canvas: Pixels, box: PixelBox, color: Color, accent: Color) -> None:
    """A high load behind a lower cab."""
    rounded(canvas, part(box, 0.0, 0.0, 0.66, 0.8), mixed(color, (255, 255, 255), 0.35))
    for rib in (0.16, 0.33, 0.49):
        rectangle(canvas, part(box, rib, 0.06, 0.01, 0.68), mixed(color, (0, 0, 0), 0.2))
    rounded(canvas, part(box, 0.68, 0.26, 0.32, 0.56), color)
    rectangle(canvas, part(box, 0.82, 0.34, 0.14, 0.2), accent)
    rectangle(canvas, part(box, 0.04, 0.76, 0.9, 0.08), _TYRE)
    for wheel in (0.08, 0.3, 0.74):
        ellipse(canvas, part(box, wheel, 0.7, 0.17, 0.3), _TYRE)
        ellipse(canvas, part(box, wheel + 0.055, 0.8, 0.06, 0.1), _HUB)


def _draw_train(canvas: Pixels, box: PixelBox, color: Color, accent: Color) -> None:
    """A pointed engine and two carriages, on a rail."""
    dark = mixed(color, (0, 0, 0), 0.4)
    for left, wide in ((0.0, 0.3), (0.32, 0.3), (0.64, 0.28)):
        rounded(canvas, part(box, left, 0.1, wide, 0.72), color)
        rectangle(canvas, part(box, left, 0.58, wide, 0.08), dark)
        for window in (0.15, 0.42, 0.69):
            rectangle(canvas, part(box, left + window * wide, 0.24, 0.16 * wide, 0.24), accent)
        for wheel in (0.12, 0.66):
            ellipse(canvas, part(box, left + wheel * wide, 0.76, 0.22 * wide, 0.18), _TYRE)
    filled(canvas, box, ((0.88, 0.12), (0.94, 0.16), (1.0, 0.56), (1.0, 0.82), (0.88, 0.82)), color)
    rectangle(canvas, part(box, 0.0, 0.93, 1.0, 0.07), _HUB)


def _draw_boat(canvas: Pixels, box: PixelBox, color: Color, accent: Color) -> None:
    """A hull that narrows downwards, a mast and two sails."""
    filled(canvas, box, ((0.0, 0.7), (1.0, 0.7), (0.82, 1.0), (0.16, 1.0)), color)
    line(canvas, box, (0.48, 0.02), (0.48, 0.7), _HUB, max(2, box[2] // 40))
    filled(canvas, box, ((0.52, 0.04), (0.52, 0.64), (0.94, 0.64)), mixed(accent, (255, 255, 255), 0.5))
    filled(canvas, box, ((0.44, 0.14), (0.44, 0.64), (0.1, 0.64)), mixed(accent, (255, 255, 255), 0.7))


def _draw_airplane(canvas: Pixels, box: PixelBox, color: Color, accent: Color) -> None:
    """A long body with a fin behind, a wing across it, and windows."""
    filled(canvas, box, ((0.0, 0.0), (0.13, 0.0), (0.3, 0.5), (0.04, 0.5)), mixed(color, (0, 0, 0), 0.3))
    filled(canvas, box, ((0.4, 0.3), (0.48, 0.1), (0.52, 0.1), (0.6, 0.3)), mixed(color, (0, 0, 0), 0.3))
    rounded(canvas, part(box, 0.02, 0.32, 0.86, 0.34), color)
    ellipse(canvas, part(box, 0.7, 0.32, 0.3, 0.34), color)
    filled(canvas, box, ((0.36, 0.52), (0.64, 0.52), (0.4, 1.0), (0.26, 1.0)), mixed(color, (0, 0, 0), 0.4))
    for window in range(8):
        ellipse(canvas, part(box, 0.24 + 0.07 * window, 0.4, 0.035, 0.09), accent)


_DRAWN: Mapping[str, Callable[[Pixels, PixelBox, Color, Color], None]] = {
    "bus": _draw_bus,
    "bicycle": _draw_bicycle,
    "motorcycle": _draw_motorcycle,
    "truck": _draw_truck,
    "train": _draw_train,
    "boat": _draw_boat,
    "airplane": _draw_airplane,
}
