"""Three fleets whose detectors err in other ways than the stand-ins: for reports alone, never for fitting.

- "set predictors": everything from a confidence of .05 on, a second label for most boxes, no suppression of duplicates,
  and edges with heavy tails.
- "crowds joined": neighbours of one label become one box, every box is a little too large and lies on a grid, small
  things are overlooked, and no two detectors mean the same by a confidence.
- "specialists": each detector is good at other labels, one knows only half of them, all share fixed confusions, and one
  speaks seldom but is right.

Nothing here uses how the stand-ins err (`dev.farm.answers.sightings`), and seeds from 100 on, which fitting uses, have
no scenes.
"""

import math
import random
from collections.abc import Callable, Iterator, Mapping

from dev.farm.answers.dice import clipped, dice
from dev.farm.answers.sightings import Sighting
from dev.farm.coco import LABELS, lookalikes
from dev.farm.truth import Scene, Thing

FIRST_SEED_FOR_FITTING = 100
_PLACES = {"detectron2": 0, "rtdetr": 1, "yolov8": 2}

_Edges = tuple[float, float, float, float]
_Detector = Callable[[Scene, int, random.Random], Iterator[Sighting]]


def held_out_sightings(fleet: str, detector: str, scene: Scene) -> list[Sighting]:
    """What a detector of this fleet reports, most confident first."""
    if scene.seed >= FIRST_SEED_FOR_FITTING:
        raise ValueError(f"fleet {fleet} is held out: no seeds from {FIRST_SEED_FOR_FITTING} on")
    own = dice(fleet, detector, scene.seed, scene.index)
    found = HELD_OUT[fleet](scene, _PLACES[detector], own)
    inside = (one for one in found if one.edges[2] - one.edges[0] >= 2 and one.edges[3] - one.edges[1] >= 2)
    return sorted(inside, key=lambda one: -one.confidence)


def _set_predictor(scene: Scene, place: int, own: random.Random) -> Iterator[Sighting]:
    floor, skill = 0.05, (3.5, 5.0, 4.0)[place]
    for number, thing in enumerate(scene.things):
        common = dice("set", scene.seed, scene.index, number)
        ease = clipped(common.betavariate(2.2, 1.2) * (0.55 + 0.12 * math.log(_side(thing))))
        drift = [common.gauss(0, 1) for _ in range(4)]
        mass = own.betavariate(0.4 + skill * ease, 0.4 + skill * (1 - ease) * 0.8)
        second = lookalikes(thing.label)[0] if own.random() < 0.7 else own.choice(LABELS)
        share = own.betavariate(1 + 6 * ease, 1.5)
        edges = _heavy_tailed(thing, drift, (0.04, 0.025, 0.03)[place], own)
        yield from _above(floor, thing.label, mass * share, edges)
        yield from _above(floor, second, mass * (1 - share), edges)
        if own.random() < 0.25:
            again = _heavy_tailed(thing, drift, 0.08, own)
            yield from _above(floor, thing.label, mass * share * own.uniform(0.2, 0.9), again)
    for _ in range(own.randrange(6, 16)):
        yield Sighting(own.choice(LABELS), floor + 0.5 * own.betavariate(0.5, 5), _anywhere(scene, own))


def _crowd_joiner(scene: Scene, place: int, own: random.Random) -> Iterator[Sighting]:
    smallest = (30, 16, 22)[place]
    for thing in _joined(scene, 0.15 * (place + 1)):
        if _side(thing) < smallest * own.uniform(0.7, 1.4):
            continue
        certain = clipped(own.gauss(0.72, 0.2) - 6.0 / _side(thing), 0.02, 0.99)
        if own.random() < 0.12 + 0.4 * (1 - certain):
            continue
        stated = (certain**0.25, certain**2.5, round(certain, 1))[place]
        x, y, width, height = thing.box
        more = own.gauss(0.06, 0.025)
        edges = (x - more * width, y - more * height, x + (1 + more) * width, y + (1 + more) * height)
        grid = (8, 4, 2)[place] if _side(thing) < 96 else 2
        yield from _above(0.2, thing.label, stated, tuple(grid * round(edge / grid) for edge in edges))
    ghosts = dice("ghosts", scene.seed, scene.index)
    for _ in range(ghosts.randrange(4)):
        label, edges = ghosts.choice(LABELS), _anywhere(scene, ghosts)
        if own.random() < 0.45:
            yield Sighting(label, (0.85, 0.3, 0.5)[place], edges)


def _specialist(scene: Scene, place: int, own: random.Random) -> Iterator[Sighting]:
    for thing in scene.things:
        knack = dice("knack", place, thing.label)
        if place == 1 and knack.random() < 0.5:
            continue
        skill = knack.gauss(0.6, 1.3) + 0.7 * math.log(_side(thing) / 40) - (1.6 if place == 0 else 0.0)
        strength = skill + own.gauss(0, 1.2)
        fixed = dice("confusion", thing.label)
        label = fixed.choice(lookalikes(thing.label)) if fixed.random() < 0.15 and own.random() < 0.6 else thing.label
        spread = 0.02 + 0.03 * dice("shape", place, thing.label).random()
        edges = _heavy_tailed(thing, [0.0] * 4, spread, own)
        yield from _above(0.3, label, 1 / (1 + math.exp(-strength * (0.8, 1.5, 1.0)[place])), edges)
    for _ in range(own.randrange((1, 5, 4)[place])):
        yield Sighting(own.choice(LABELS), own.uniform(0.3, 0.75), _anywhere(scene, own))


def _joined(scene: Scene, near: float) -> list[Thing]:
    """Things of one label that nearly touch, as one; in a chain only once."""
    left = list(scene.things)
    found = []
    while left:
        thing = left.pop(0)
        other = next((one for one in left if one.label == thing.label and _gap(thing, one) < near * _side(thing)), None)
        if other is not None:
            left.remove(other)
            x, y = min(thing.box[0], other.box[0]), min(thing.box[1], other.box[1])
            right = max(thing.box[0] + thing.box[2], other.box[0] + other.box[2])
            bottom = max(thing.box[1] + thing.box[3], other.box[1] + other.box[3])
            thing = Thing(thing.label, (x, y, right - x, bottom - y))
        found.append(thing)
    return found


def _gap(some: Thing, other: Thing) -> float:
    ax, ay, aw, ah = some.box
    bx, by, bw, bh = other.box
    return max(ax - bx - bw, bx - ax - aw, ay - by - bh, by - ay - ah)


def _heavy_tailed(thing: Thing, drift: list[float], spread: float, own: random.Random) -> _Edges:
    """Edges with errors of Student's t with three degrees of freedom, in part common to all detectors."""
    x, y, width, height = thing.box
    scale = spread / math.sqrt(own.gammavariate(1.5, 1 / 1.5) + 0.05)
    near = (x, y, x + width, y + height)
    moved = [
        edge + scale * side * (0.5 * shared + 0.85 * own.gauss(0, 1))
        for edge, side, shared in zip(near, (width, height, width, height), drift, strict=True)
    ]
    return moved[0], moved[1], moved[2], moved[3]


def _anywhere(scene: Scene, rng: random.Random) -> _Edges:
    width, height = rng.uniform(0.03, 0.4) * scene.width, rng.uniform(0.03, 0.4) * scene.height
    left, top = rng.uniform(0, scene.width - width), rng.uniform(0, scene.height - height)
    return left, top, left + width, top + height


def _above(floor: float, label: str, confidence: float, edges: tuple[float, ...]) -> Iterator[Sighting]:
    if confidence >= floor:
        yield Sighting(label, min(confidence, 0.999), (edges[0], edges[1], edges[2], edges[3]))


def _side(thing: Thing) -> float:
    return math.sqrt(thing.box[2] * thing.box[3])


HELD_OUT: Mapping[str, _Detector] = {
    "set predictors": _set_predictor,
    "crowds joined": _crowd_joiner,
    "specialists": _specialist,
}
