"""Opening what a client sends: refused when it is no picture or not a whole one, whatever truth it carries."""

import io

import pytest
from PIL import Image

from dev.farm.layout import make_scene
from dev.farm.pictures import BrokenImage, NotAnImage, open_picture
from dev.farm.scenes import encode
from dev.farm.truth import embed

SCENE = make_scene(7, 1)


def _plain(width: int, height: int, kind: str = "PNG", mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, (width, height), 90).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("data", [b"", b"a text with a picture's name\n", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(NotAnImage, match="cannot identify image file"):
        open_picture(data)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_cut_short_is_broken_although_its_truth_could_be_read(kind: str, kept: float) -> None:
    data = encode(SCENE, kind)
    with pytest.raises(BrokenImage):
        open_picture(data[: int(len(data) * kept)])


@pytest.mark.parametrize("missing", [3, 60, 900])
def test_even_a_few_missing_bytes_break_a_jpeg(missing: int) -> None:
    with pytest.raises(BrokenImage, match="truncated"):
        open_picture(encode(SCENE)[:-missing])


def test_a_damaged_png_is_broken() -> None:
    data = bytearray(encode(SCENE, "PNG"))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(BrokenImage):
        open_picture(bytes(data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_scene_opens_with_its_truth_and_measures(kind: str) -> None:
    picture = open_picture(encode(SCENE, kind))
    assert picture.truth == SCENE
    assert (picture.width, picture.height, picture.format) == (SCENE.width, SCENE.height, kind)
    assert picture.rgb.shape == (SCENE.height, SCENE.width, 3)


def test_truth_that_does_not_fit_the_pixels_is_ignored() -> None:
    assert open_picture(embed(_plain(64, 48, "JPEG"), SCENE)).truth is None


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 700), (3000, 40), (1000, 1500)])
def test_the_small_view_keeps_the_shape_and_stays_small(width: int, height: int) -> None:
    small = open_picture(_plain(width, height)).small
    assert max(small.shape[:2]) == min(768, max(width, height))
    assert small.shape[2] == 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_pictures_of_any_mode_give_three_colours(mode: str) -> None:
    assert open_picture(_plain(8, 6, mode=mode)).rgb.shape == (6, 8, 3)


def test_the_same_bytes_are_opened_once() -> None:
    data = _plain(20, 20)
    assert open_picture(data) is open_picture(bytes(bytearray(data)))


def test_identity_follows_the_truth_of_a_scene_and_the_bytes_of_anything_else() -> None:
    assert open_picture(encode(SCENE)).identity == open_picture(encode(SCENE, "PNG")).identity
    assert open_picture(_plain(20, 20)).identity != open_picture(_plain(20, 21)).identity
