"""Placing things in a scene, reproducibly from a seed and a number."""

import math
import random
from collections import Counter
from collections.abc import Iterable
from colorsys import hsv_to_rgb

from dev.farm.coco import KINDS, LABELS
from dev.farm.truth import PixelBox, Scene, Thing, Writing

# Which labels appear in which place; every label appears in at least one.
THEMES: dict[str, tuple[str, ...]] = {
    "street": (
        "bicycle", "car", "motorcycle", "bus", "truck", "traffic light", "fire hydrant", "stop sign",
        "parking meter", "backpack", "handbag", "suitcase", "umbrella", "dog", "train", "skateboard",
    ),
    "kitchen": (
        "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "microwave", "oven", "toaster", "sink",
        "refrigerator", "dining table", "chair", "banana", "apple", "orange", "carrot", "broccoli",
    ),
    "park": ("bench", "dog", "bird", "frisbee", "kite", "sports ball", "bicycle", "umbrella", "backpack", "cat"),
    "farm": ("horse", "cow", "sheep", "bird", "dog", "truck", "apple", "bear"),
    "field": ("elephant", "zebra", "giraffe", "bear", "bird", "cow", "airplane", "train"),
    "living_room": (
        "couch", "chair", "tv", "remote", "potted plant", "book", "clock", "vase", "cat", "teddy bear", "cup", "bed",
    ),
    "beach": ("surfboard", "umbrella", "kite", "boat", "dog", "frisbee", "bird", "handbag", "airplane"),
    "office": ("laptop", "mouse", "keyboard", "cell phone", "chair", "book", "cup", "tie", "clock", "scissors", "tv"),
    "snow": ("skis", "snowboard", "backpack", "dog", "bench", "truck"),
    "stadium": ("baseball bat", "baseball glove", "tennis racket", "sports ball", "bench", "bottle", "frisbee"),
    "bathroom": ("toilet", "sink", "toothbrush", "hair drier", "bottle", "potted plant", "scissors", "cup"),
    "dinner": (
        "pizza", "cake", "donut", "sandwich", "hot dog", "dining table", "wine glass", "fork", "knife", "spoon",
        "cup", "bowl", "chair", "bottle", "cell phone",
    ),
}  # fmt: skip
_SIZES = (
    (640, 480), (800, 600), (1024, 768), (480, 640), (500, 375), (320, 240), (1280, 720), (1280, 960), (960, 1280),
    (720, 720), (640, 427), (427, 640),
)  # fmt: skip
_WORDS = (
    "STOP", "OPEN", "COFFEE", "PIZZA", "EXIT", "HOTEL", "TAXI", "BOOK", "SALE", "PARK", "BUS", "TRAIN", "Bakery",
    "Market", "Welcome", "No parking", "Dog food", "Ice cream", "Main Street", "Speed limit 30",
)  # fmt: skip
_IRREGULAR = {
    "person": "people", "knife": "knives", "sheep": "sheep", "mouse": "mice", "skis": "skis", "scissors": "scissors",
    "bus": "buses", "wine glass": "wine glasses", "couch": "couches", "bench": "benches",
    "toothbrush": "toothbrushes", "sandwich": "sandwiches", "broccoli": "broccoli",
}  # fmt: skip
_NUMBERS = {2: "two", 3: "three", 4: "four"}
_FACE_FLOOR = 22
_SMALLEST_SIDE = 12


def make_scene(seed: int, index: int) -> Scene:
    """The scene of this seed and number."""
    rng = random.Random(f"scene|{seed}|{index}")
    width, height = _size(rng)
    theme = rng.choice(sorted(THEMES))
    things = _things(rng, theme, width, height)
    return Scene(
        seed=seed,
        index=index,
        width=width,
        height=height,
        theme=theme,
        things=things,
        writings=_writings(rng, [thing.box for thing in things], width, height),
        colors=tuple(_color(rng) for _ in range(3)),
        caption=_caption(things, theme),
        nsfw=rng.random() < 0.03,
    )


def prominent(things: Iterable[Thing], limit: int) -> list[tuple[str, int]]:
    """The labels that fill the picture most, and how many of each there are."""
    areas: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for thing in things:
        areas[thing.label] += thing.box[2] * thing.box[3]
        counts[thing.label] += 1
    return [(label, counts[label]) for label, _ in areas.most_common(limit)]


def noun_phrase(label: str, count: int) -> str:
    """`a dog`, `two dogs`, `several people`."""
    if count > 1:
        return f"{_NUMBERS.get(count, 'several')} {_IRREGULAR.get(label, label + 's')}"
    return f"{'an' if label[0] in 'aeiou' else 'a'} {label}"


def _size(rng: random.Random) -> tuple[int, int]:
    width, height = rng.choice(_SIZES)
    stretch = rng.uniform(0.9, 1.0)
    return max(320, round(width * stretch)), max(240, round(height * stretch))


def _things(rng: random.Random, theme: str, width: int, height: int) -> tuple[Thing, ...]:
    count = rng.randint(8, 20) if rng.random() < 0.45 else rng.randint(1, 7)
    cast = rng.sample(THEMES[theme], min(len(THEMES[theme]), 2 + count // 3))
    boxes: list[PixelBox] = []
    labels: list[str] = []
    for _ in range(count):
        label = _label(rng, cast)
        box = _free_box(rng, label, boxes, width, height)
        if box:
            boxes.append(box)
            labels.append(label)
    painted = sorted(zip(labels, boxes, strict=True), key=lambda pair: -pair[1][2] * pair[1][3])
    return tuple(Thing(label, box, _face(label, box)) for label, box in painted)


def _label(rng: random.Random, cast: list[str]) -> str:
    chance = rng.random()
    return "person" if chance < 0.27 else rng.choice(LABELS) if chance < 0.33 else rng.choice(cast)


def _free_box(rng: random.Random, label: str, taken: list[PixelBox], width: int, height: int) -> PixelBox | None:
    """A box that hides little of the others, and is hidden little; None when the picture is too full."""
    for attempt in range(12):
        box = _box(rng, label, 0.93**attempt, width, height)
        if all(_covered(box, other) <= (0.35 if label == "person" else 0.5) for other in taken):
            return box
    return None


def _box(rng: random.Random, label: str, shrink: float, width: int, height: int) -> PixelBox:
    kind = KINDS[label]
    side = kind.size * math.exp(rng.gauss(-0.75, 0.6)) * shrink * math.sqrt(width * height)
    aspect = kind.aspect * math.exp(rng.gauss(0, 0.18))
    if label == "person" and rng.random() < 0.4:
        aspect = rng.uniform(0.75, 0.95)
    across = round(min(max(side * math.sqrt(aspect), _SMALLEST_SIDE), 0.92 * width))
    down = round(min(max(side / math.sqrt(aspect), _SMALLEST_SIDE), 0.92 * height))
    return rng.randint(0, width - across), rng.randint(0, height - down), across, down


def _covered(a: PixelBox, b: PixelBox) -> float:
    """Overlap as a share of the smaller box."""
    across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(across, 0) * max(down, 0) / min(a[2] * a[3], b[2] * b[3])


def _face(label: str, box: PixelBox) -> PixelBox | None:
    """The face of a person: an eighth of a whole figure, more than a third of head and shoulders."""
    if label != "person":
        return None
    x, y, width, height = box
    share = 0.42 if width > 0.65 * height else 0.155
    side = round(min(share * height, 0.7 * width))
    return (x + (width - side) // 2, y + round(0.4 * side), side, side) if side >= _FACE_FLOOR else None


def _writings(rng: random.Random, taken: list[PixelBox], width: int, height: int) -> tuple[Writing, ...]:
    if rng.random() > 0.35:
        return ()
    text = rng.choice(_WORDS)
    letter = rng.uniform(0.04, 0.085) * height
    across, down = round(min(0.9 * width, 0.62 * letter * len(text) + 0.4 * letter)), round(1.35 * letter)
    places = [(rng.randint(0, width - across), rng.randint(0, height - down)) for _ in range(20)]
    boxes = [(x, y, across, down) for x, y in places]
    freest = min(boxes, key=lambda box: sum(_covered(box, other) for other in taken))
    hidden = sum(_covered(freest, other) for other in taken)
    return (Writing(text, freest),) if hidden < 0.2 else ()


def _color(rng: random.Random) -> str:
    """Muted, as walls and landscapes are."""
    hue, saturation, value = rng.random(), rng.uniform(0.05, 0.5), rng.uniform(0.4, 0.95)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in hsv_to_rgb(hue, saturation, value))


def _caption(things: tuple[Thing, ...], theme: str) -> str:
    nouns = [noun_phrase(label, count) for label, count in prominent(things, 3)]
    listed = nouns[0] if len(nouns) == 1 else f"{', '.join(nouns[:-1])} and {nouns[-1]}"
    return f"{listed} in a {theme.replace('_', ' ')}"
