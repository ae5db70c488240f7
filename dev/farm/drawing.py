"""Pixels for a scene: a background, the things from far to near, people with faces, and words on plates."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from dev.farm.coco import KINDS
from dev.farm.pictures import Pixels
from dev.farm.portrait import HAIRS, SKINS, draw_face
from dev.farm.strokes import Color, ellipse, mixed, part, rectangle, rounded
from dev.farm.truth import PixelBox, Scene, Thing, Writing
from dev.farm.vehicles import draw_vehicle

_Draw = Callable[[Pixels, PixelBox, Color, Color], None]

_NOISE_SIDE = 512
_NOISE = 4.0


def draw(scene: Scene) -> Pixels:
    """The picture of the scene; the same scene gives the same pixels."""
    rng = random.Random(f"pixels|{scene.seed}|{scene.index}")
    canvas = _background(scene, rng)
    for thing in scene.things:
        _draw_thing(canvas, thing, rng)
    for writing in scene.writings:
        _draw_writing(canvas, writing, rng)
    return _grained(canvas, rng)


def draw_each(scene: Scene, names: Sequence[str]) -> Pixels:
    """The same, where each thing looks alike in all pictures that it is in under its name, as do all of one seed."""
    canvas = _kept_background(replace(scene, index=0, things=())).copy()
    for thing, name in zip(scene.things, names, strict=True):
        _draw_thing(canvas, thing, random.Random(f"pixels|{scene.seed}|{name}"))
    return canvas


@lru_cache(maxsize=4)
def _kept_background(scene: Scene) -> Pixels:
    return _background(scene, random.Random(f"pixels|{scene.seed}"))


def _background(scene: Scene, rng: random.Random) -> Pixels:
    sky, ground, patch = (_rgb(color) for color in scene.colors)
    canvas = np.empty((scene.height, scene.width, 3), np.uint8)
    horizon = round(scene.height * rng.uniform(0.35, 0.7))
    canvas[:horizon] = _gradient(sky, mixed(sky, (255, 255, 255), 0.45), horizon)
    canvas[horizon:] = _gradient(ground, mixed(ground, (20, 20, 20), 0.35), scene.height - horizon)
    for _ in range(rng.randint(2, 6)):
        center = (rng.randint(0, scene.width), rng.randint(0, scene.height))
        radii = (rng.randint(15, scene.width // 4), rng.randint(10, scene.height // 5))
        under = canvas[min(center[1], scene.height - 1), min(center[0], scene.width - 1)]
        shade = mixed((int(under[0]), int(under[1]), int(under[2])), patch, 0.3)
        cv2.ellipse(canvas, center, radii, rng.uniform(0, 180), 0, 360, shade, -1, cv2.LINE_AA)
    return canvas


def _draw_thing(canvas: Pixels, thing: Thing, rng: random.Random) -> None:
    if thing.label == "person":
        _draw_person(canvas, thing, rng)
        return
    color = _label_color(thing.label, rng)
    accent = mixed(color, (250, 250, 245) if sum(color) < 380 else (25, 25, 30), 0.6)
    family = KINDS[thing.label].family
    if family == "vehicle":
        draw_vehicle(canvas, thing.label, thing.box, color, accent)
    else:
        _FAMILIES[family](canvas, thing.box, color, accent)


def _draw_person(canvas: Pixels, thing: Thing, rng: random.Random) -> None:
    x, y, width, height = thing.box
    cloth, trousers = _vivid(rng), _vivid(rng)
    variant = rng.randrange(len(SKINS) * len(HAIRS))
    bust = width > 0.65 * height
    shoulders = y + round(height * (0.62 if bust else 0.2))
    waist = y + height if bust else y + round(0.55 * height)
    rounded(canvas, (x, shoulders, width, waist - shoulders), cloth)
    if not bust:
        leg = max(2, round(0.36 * width))
        rectangle(canvas, (x + width // 8, waist, leg, y + height - waist), trousers)
        rectangle(canvas, (x + width - width // 8 - leg, waist, leg, y + height - waist), trousers)
    if thing.face:
        fx, fy, side, _ = thing.face
        rectangle(canvas, (fx + side // 4, fy + side, side // 2, max(1, shoulders - fy - side + 2)), SKINS[variant % 4])
        draw_face(canvas, thing.face, variant)
    else:
        head = (x + width // 4, y, max(3, width // 2), max(4, shoulders - y))
        ellipse(canvas, head, SKINS[variant % 4])


def _draw_animal(canvas: Pixels, box: PixelBox, color: Color, accent: Color) -> None:
    x, y, width, height = box
    for leg in (0.18, 0.32, 0.62, 0.76):
        rectangle(canvas, part(box, leg, 0.6, 0.08, 0.4), mixed(color, (0, 0, 0), 0.25))
    ellipse(canvas, part(box, 0.08, 0.3, 0.78, 0.45), color)
    ellipse(canvas, part(box, 0.66, 0.0, 0.34, 0.45), color)
    ellipse(canvas, part(box, 0.84, 0.14, 0.06, 0.08), (15, 15, 15))
    cv2.line(canvas, (x, y + height // 3), (x + width // 8, y + height // 2), accent, max(1, width // 24), cv2.LINE_AA)


def _draw_furniture(canvas: Pixels, box: PixelBox, color: Color, accent: Color) -> None:
    rounded(canvas, part(box, 0.06, 0.0, 0.88, 0.55), mixed(color, (0, 0, 0), 0.2))
    rounded(canvas, part(box, 0.0, 0.42, 1.0, 0.3), color)
    rectangle(canvas, part(box, 0.08, 0.48, 0.84, 0.06), accent)
    for leg in (0.06, 0.84):
        rectangle(canvas, part(box, leg, 0.7, 0.1, 0.3), mixed(color, (0, 0, 0), 0.5))


def _draw_food(canvas: Pixels, box: PixelBox, color: Color, accent: Color) -> None:
    ellipse(canvas, box, mixed(color, (0, 0, 0), 0.25))
    ellipse(canvas, part(box, 0.06, 0.05, 0.88, 0.86), color)
    for across, down in ((0.25, 0.3), (0.55, 0.2), (0.45, 0.55), (0.7, 0.5)):
        ellipse(canvas, part(box, across, down, 0.12, 0.12), accent)


def _draw_container(canvas: Pixels, box: PixelBox, color: Color, accent: Color) -> None:
    rounded(canvas, part(box, 0.05, 0.2, 0.9, 0.8), color)
    ellipse(canvas, part(box, 0.0, 0.0, 1.0, 0.35), mixed(color, (0, 0, 0), 0.3))
    rectangle(canvas, part(box, 0.18, 0.4, 0.1, 0.45), accent)


def _draw_device(canvas: Pixels, box: PixelBox, color: Color, accent: Color) -> None:
    rounded(canvas, box, mixed(color, (20, 20, 20), 0.6))
    rectangle(canvas, part(box, 0.08, 0.1, 0.84, 0.66), accent)
    rectangle(canvas, part(box, 0.14, 0.18, 0.4, 0.1), color)
    rectangle(canvas, part(box, 0.14, 0.36, 0.6, 0.06), color)


def _draw_post(canvas: Pixels, box: PixelBox, color: Color, accent: Color) -> None:
    rectangle(canvas, part(box, 0.4, 0.4, 0.2, 0.6), (90, 90, 95))
    rounded(canvas, part(box, 0.0, 0.0, 1.0, 0.6), color)
    for light in (0.08, 0.24, 0.4):
        ellipse(canvas, part(box, 0.3, light, 0.4, 0.13), accent)


def _draw_ball(canvas: Pixels, box: PixelBox, color: Color, accent: Color) -> None:
    ellipse(canvas, box, color)
    x, y, width, height = box
    cv2.line(canvas, (x, y + height - 1), (x + width - 1, y), accent, max(1, min(width, height) // 10), cv2.LINE_AA)
    ellipse(canvas, part(box, 0.22, 0.18, 0.2, 0.16), mixed(color, (255, 255, 255), 0.6))


_FAMILIES: dict[str, _Draw] = {
    "animal": _draw_animal,
    "furniture": _draw_furniture,
    "food": _draw_food,
    "kitchen": _draw_container,
    "indoor": _draw_container,
    "accessory": _draw_container,
    "electronic": _draw_device,
    "appliance": _draw_device,
    "outdoor": _draw_post,
    "sports": _draw_ball,
}


def _draw_writing(canvas: Pixels, writing: Writing, rng: random.Random) -> None:
    x, y, width, height = writing.box
    plate, ink = ((250, 248, 240), (20, 20, 24)) if rng.random() < 0.6 else ((30, 60, 120), (250, 250, 250))
    sign = Image.new("RGB", (width, height), plate)
    pen = ImageDraw.Draw(sign)
    size = 0.72 * height
    wide = pen.textlength(writing.text, font=_font(round(size)))
    if wide > 0.92 * width:
        size *= 0.92 * width / wide
    pen.text((width / 2, height / 2), writing.text, fill=ink, font=_font(round(size)), anchor="mm")
    canvas[y : y + height, x : x + width] = np.asarray(sign)


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(size, 6))


def _grained(canvas: Pixels, rng: random.Random) -> Pixels:
    """A grain like a camera's, so that the file is as big as a photograph's."""
    height, width = canvas.shape[:2]
    rows, columns = -(-height // _NOISE_SIDE), -(-width // _NOISE_SIDE)
    grain = np.tile(_noise(), (rows, columns))[:height, :width]
    shift = rng.randrange(_NOISE_SIDE)
    grain_rgb = cv2.cvtColor(np.roll(grain, shift, axis=1), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.addWeighted(canvas, 1.0, grain_rgb, 1.0, -128.0), dtype=np.uint8)


@lru_cache(maxsize=1)
def _noise() -> npt.NDArray[np.uint8]:
    grain = np.random.default_rng(1).normal(128, _NOISE, (_NOISE_SIDE, _NOISE_SIDE))
    return np.clip(np.rint(grain), 0, 255).astype(np.uint8)


def _gradient(top: Color, bottom: Color, rows: int) -> npt.NDArray[np.uint8]:
    return np.linspace(top, bottom, rows).astype(np.uint8)[:, None, :]


def _label_color(label: str, rng: random.Random) -> Color:
    """A label keeps its colour, more or less."""
    usual = _vivid(random.Random(label))
    return mixed(usual, _vivid(rng), rng.uniform(0, 0.4))


def _vivid(rng: random.Random) -> Color:
    return rng.randint(30, 240), rng.randint(30, 240), rng.randint(30, 240)


def _rgb(color: str) -> Color:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
