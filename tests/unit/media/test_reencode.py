"""JPEGs that are made for services: upright, in eight bits and three colours, and within a limit."""

import io
import random

import pytest
from PIL import Image

from windmill.core.errors import WindmillError
from windmill.media.image.reencode import Reencoded, reencode

RED, BLUE = (250, 5, 5), (5, 5, 250)
ORIENTATION, CAMERA = 0x0112, 0x010F


def halves() -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (80, 40), BLUE)
    image.paste(RED, (0, 0, 40, 40))
    return image


def noise(width: int, height: int) -> Image.Image:
    return Image.frombytes("RGB", (width, height), random.Random(2).randbytes(width * height * 3))


def saved(image: Image.Image, form: str = "JPEG", orientation: int = 1, **options: object) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif[CAMERA] = "a camera"
    file = io.BytesIO()
    image.save(file, form, exif=exif, **options)
    return file.getvalue()


def made_of(data: bytes, max_bytes: int = 1_000_000) -> tuple[Reencoded, Image.Image]:
    made = reencode(data, max_pixels=10_000_000, max_bytes=max_bytes)
    image = Image.open(io.BytesIO(made.jpeg))
    image.load()
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", made.size)
    assert len(made.jpeg) <= max_bytes
    return made, image


def colour(image: Image.Image, x: float, y: float) -> tuple[int, int, int]:
    """Which of the two colours is at this share of the sides."""
    pixel = image.getpixel((int(x * image.width), int(y * image.height)))
    assert isinstance(pixel, tuple)
    return RED if pixel[0] > pixel[2] else BLUE


RED_SIDE = {1: (0.1, 0.5), 2: (0.9, 0.5), 3: (0.9, 0.5), 4: (0.1, 0.5)} | {
    5: (0.5, 0.1),
    6: (0.5, 0.1),
    7: (0.5, 0.9),
    8: (0.5, 0.9),
}


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_turn_ends_upright_and_says_so_no_more(form: str, orientation: int) -> None:
    made, image = made_of(saved(halves(), form, orientation))
    assert made.size == made.image_size == ((40, 80) if orientation >= 5 else (80, 40))
    x, y = RED_SIDE[orientation]
    assert (colour(image, x, y), colour(image, 1 - x, 1 - y)) == (RED, BLUE)
    assert image.getexif().get(ORIENTATION, 1) == 1


def test_what_the_camera_noted_is_kept() -> None:
    _, image = made_of(saved(halves(), orientation=6))
    assert image.getexif()[CAMERA] == "a camera"


def test_an_image_over_the_limit_loses_pixels_and_keeps_its_shape() -> None:
    made, _ = made_of(saved(noise(600, 300), "PNG"), 30_000)
    assert made.image_size == (600, 300)
    assert 100 < made.size[0] < 600
    assert made.size[0] / made.size[1] == pytest.approx(2, rel=0.02)


def test_an_image_that_no_size_brings_below_the_limit_is_too_large() -> None:
    with pytest.raises(WindmillError) as error:
        reencode(saved(noise(60, 60)), max_pixels=10_000, max_bytes=100)
    assert error.value.code == "IMAGE_TOO_LARGE"


def test_an_avif_becomes_a_jpeg() -> None:
    _, image = made_of(saved(halves(), "AVIF"))
    assert (colour(image, 0.1, 0.5), colour(image, 0.9, 0.5)) == (RED, BLUE)


def test_an_avif_that_is_turned_is_made_upright() -> None:
    made, image = made_of(saved(halves(), "AVIF", 6))
    assert made.size == (40, 80)
    assert (colour(image, 0.5, 0.1), colour(image, 0.5, 0.9)) == (RED, BLUE)


def test_transparent_parts_become_white_and_not_black() -> None:
    file = io.BytesIO()
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(file, "PNG")
    _, image = made_of(file.getvalue())
    assert image.getpixel((10, 10)) == (255, 255, 255)


def test_greys_of_sixteen_bits_keep_their_shade() -> None:
    file = io.BytesIO()
    Image.new("I;16", (20, 20), 32_768).save(file, "PNG")
    _, image = made_of(file.getvalue())
    pixel = image.getpixel((10, 10))
    assert isinstance(pixel, tuple)
    assert 120 <= pixel[0] <= 135


def test_the_profile_of_colours_that_stay_is_kept() -> None:
    _, image = made_of(saved(halves(), orientation=3, icc_profile=b"a profile"))
    assert image.info["icc_profile"] == b"a profile"
