"""Which changes of a file make it another picture."""

import io
import random

import pytest
from PIL import Image

from windmill.kernels.media.exif_orientation import orientation_of
from windmill.kernels.media.fingerprint import fingerprint
from windmill.kernels.media.jpeg_parts import jpeg_parts


def of_jpeg(data: bytes) -> int:
    return fingerprint(data, orientation_of(data), jpeg_parts(data))


def of_other(data: bytes) -> int:
    return fingerprint(data, 1, None)


def noise(seed: int, size: tuple[int, int] = (200, 150)) -> Image.Image:
    return Image.frombytes("RGB", size, random.Random(seed).randbytes(size[0] * size[1] * 3))


def saved(picture: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def exif(tag: int, value: object) -> Image.Exif:
    made = Image.Exif()
    made[tag] = value
    return made


def test_the_same_bytes_have_the_same_fingerprint_which_postgresql_can_store() -> None:
    data = saved(noise(1))
    assert of_jpeg(data) == of_jpeg(bytes(bytearray(data)))
    assert 0 <= of_jpeg(data) < 2**63


def test_a_new_caption_in_exif_makes_no_other_picture() -> None:
    picture = noise(1)
    captions = [saved(picture), *(saved(picture, exif=exif(0x010E, said)) for said in ("a dog", "my dog " * 900))]
    assert len({of_jpeg(data) for data in captions}) == 1


def test_another_turn_makes_another_picture() -> None:
    assert of_jpeg(saved(noise(1), exif=exif(0x0112, 6))) != of_jpeg(saved(noise(1), exif=exif(0x0112, 8)))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "WEBP", "TIFF"])
def test_other_pixels_make_another_picture(form: str) -> None:
    of = of_jpeg if form == "JPEG" else of_other
    assert len({of(saved(noise(seed), form)) for seed in range(20)}) == 20


def scan(seed: int) -> Image.Image:
    """A page with wide white margins, as scanners make thousands of one size."""
    page = Image.new("RGB", (800, 1000), (255, 255, 255))
    page.paste(noise(seed, (500, 300)), (150, 300))
    return page


@pytest.mark.parametrize("form", ["JPEG", "BMP"])
def test_pages_with_the_same_white_margins_are_told_apart(form: str) -> None:
    of = of_jpeg if form == "JPEG" else of_other
    assert len({of(saved(scan(seed), form)) for seed in range(10)}) == 10


@pytest.mark.parametrize("length", [0, 1, 4095, 4096, 4097, 5000, 100_001])
def test_files_of_every_length_have_one_and_their_last_byte_counts(length: int) -> None:
    data = random.Random(5).randbytes(length)
    assert of_other(data + b"a") != of_other(data + b"b")
    assert of_other(b"a" + data) != of_other(b"b" + data)
