"""Faces that are drawn are faces to OpenCV's cascade too: crops of people are analysed for real."""

import io

import numpy as np
from PIL import Image

from dev.farm.answers.face import detected
from dev.farm.drawing import draw
from dev.farm.layout import make_scene
from dev.farm.pictures import open_picture
from dev.farm.truth import PixelBox, Scene


def _crop(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], box: PixelBox) -> bytes:
    x, y, width, height = box
    file = io.BytesIO()
    Image.fromarray(pixels[y : y + height, x : x + width]).save(file, "JPEG", quality=90)
    return file.getvalue()


def _scene(index: int) -> Scene:
    return make_scene(13, index)


def test_most_drawn_faces_are_found_in_crops_and_hardly_anything_else_is() -> None:
    faces = found = others = false_alarms = 0
    for index in range(60):
        scene = _scene(index)
        pixels = draw(scene)
        for thing in scene.things:
            hits = len(detected(open_picture(_crop(pixels, thing.box))))
            if thing.face:
                faces, found = faces + 1, found + min(hits, 1)
            elif thing.label != "person":
                others, false_alarms = others + 1, false_alarms + hits
    assert faces > 50
    assert found / faces > 0.85
    assert false_alarms / others < 0.03


def test_the_box_lies_where_the_face_was_drawn() -> None:
    scene, person = next(
        (scene, thing) for scene in map(_scene, range(60)) for thing in scene.things[-1:] if thing.face
    )
    assert person.face is not None
    (x, y, width, height), _ = detected(open_picture(_crop(draw(scene), person.box)))[0]
    across, down = person.face[0] - person.box[0], person.face[1] - person.box[1]
    assert x <= across + person.face[2] / 2 <= x + width
    assert y <= down + person.face[3] / 2 <= y + height


def test_a_picture_too_small_for_a_face_has_none() -> None:
    assert detected(open_picture(_crop(np.zeros((5, 9, 3), np.uint8), (0, 0, 9, 5)))) == []
