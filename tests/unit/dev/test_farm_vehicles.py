"""A person sees which vehicle is drawn."""

from itertools import combinations

import cv2
import numpy as np
import pytest

from dev.farm.coco import KINDS
from dev.farm.drawing import draw_each
from dev.farm.truth import Scene, Thing

SIDE, LEFT, TOP = 400, 60, 70
EDGE = 2
"""Soft edges reach so far."""


def drawn_part(label: str) -> np.ndarray:
    """Where the thing is in its box, and that it is nowhere else."""
    width = 240
    box = (LEFT, TOP, width, round(width / KINDS[label].aspect))
    look = ("street", (), ("#9ec5e8", "#6f8f5f", "#c8b48a"), "a street")
    scene = Scene(1, 0, SIDE, SIDE, look[0], (Thing(label, box),), *look[1:])
    empty = Scene(1, 0, SIDE, SIDE, look[0], (), *look[1:])
    there = (draw_each(scene, [label]) != draw_each(empty, [])).any(axis=2)
    around = there[TOP - EDGE : TOP + box[3] + EDGE, LEFT - EDGE : LEFT + width + EDGE]
    assert there.sum() == around.sum(), "it is drawn beside its box"
    return np.asarray(around[EDGE:-EDGE, EDGE:-EDGE])


@pytest.mark.parametrize(
    ("label", "least", "most"),
    [
        *(("bicycle", 0.2, 0.55), ("motorcycle", 0.3, 0.65), ("airplane", 0.25, 0.5), ("boat", 0.3, 0.6)),
        *(("car", 0.6, 0.82), ("truck", 0.65, 0.9), ("train", 0.65, 0.9), ("bus", 0.85, 1.0)),
    ],
)
def test_a_bicycle_is_seen_through_and_a_bus_fills_its_box(label: str, least: float, most: float) -> None:
    assert least < drawn_part(label).mean() < most


def test_no_vehicle_has_the_outline_of_another() -> None:
    vehicles = [label for label, kind in KINDS.items() if kind.family == "vehicle"]
    outlines = {one: cv2.resize(drawn_part(one).astype(np.uint8), (60, 60)) for one in vehicles}
    for one, other in combinations(vehicles, 2):
        assert (outlines[one] != outlines[other]).mean() > 0.08, (one, other)


def test_a_bus_is_as_high_in_front_as_in_the_middle_and_a_car_is_not() -> None:
    heights = {label: drawn_part(label).argmax(axis=0) for label in ("bus", "car")}
    corner, middle = 30, 120
    assert heights["bus"][corner] == heights["bus"][middle]
    assert heights["car"][corner] > heights["car"][middle] + 20
