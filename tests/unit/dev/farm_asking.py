"""Asking stand-ins for their answers."""

import io
from typing import Any

from PIL import Image

from dev.farm.answers import predictions
from dev.farm.layout import make_scene
from dev.farm.pictures import Picture, open_picture
from dev.farm.truth import Scene, Thing, Writing, to_json


def undrawn(scene: Scene) -> Picture:
    """A picture that knows its truth but has no pixels: enough for every service that answers from truth."""
    return Picture(to_json(scene), scene.width, scene.height, "JPEG", truth=scene)


def scene_with(*things: Thing, texts: tuple[Writing, ...] = (), nsfw: bool = False, index: int = 0) -> Scene:
    return Scene(1, index, 640, 480, "park", things, texts, ("#808080",) * 3, "a scene", nsfw)


def plain(color: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (120, 90), mode: str = "RGB") -> Picture:
    file = io.BytesIO()
    Image.new("RGB", size, color).convert(mode).save(file, "PNG")
    return open_picture(file.getvalue())


def ask(service: str, picture: Picture, seed: int = 1) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = predictions(service, picture, seed)
    return answer


def all_answers(service: str, count: int = 150) -> list[tuple[dict[str, Any], Picture]]:
    pictures = [undrawn(make_scene(4, index)) for index in range(count)]
    return [(prediction, picture) for picture in pictures for prediction in ask(service, picture)]
