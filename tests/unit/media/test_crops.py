"""Cutting boxes out of images of every kind, one image in memory at a time."""

import io
import math
import random

import pytest
from PIL import Image

from tests.unit.media.test_decode_check import huge_png
from windmill.core.errors import WindmillError
from windmill.kernels.boxes.crop_regions import Rectangle
from windmill.media.image.crops import Crop, cut_crops

MOST = 10_000_000
RED, BLUE = (250, 5, 5), (5, 5, 250)
LEFT_HALF = {"merged_bbox": {"x": 0, "y": 0, "width": 100, "height": 80}}
RIGHT_HALF = {"merged_bbox": {"x": 100, "y": 0, "width": 100, "height": 80}}
BESIDE = {"merged_bbox": {"x": 200, "y": 0, "width": 10, "height": 10}}


def halves(mode: str = "RGB", form: str = "PNG", **options: object) -> bytes:
    """200 x 80 pixels, red on the left, blue on the right."""
    image = Image.new("RGB", (200, 80), RED)
    image.paste(BLUE, (100, 0, 200, 80))
    return saved(image.convert(mode), form, **options)


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def noise(width: int, height: int) -> bytes:
    return saved(Image.frombytes("RGB", (width, height), random.Random(5).randbytes(width * height * 3)), "PNG")


async def cut(image: bytes, *boxes: object, most_bytes: int = MOST) -> list[Crop | None]:
    return cut_crops(image, boxes, max_pixels=MOST, max_bytes=most_bytes)


async def one(image: bytes, box: object) -> Image.Image:
    (crop,) = await cut(image, box)
    assert crop
    return decoded(crop)


def decoded(crop: Crop) -> Image.Image:
    opened = Image.open(io.BytesIO(crop.jpeg))
    assert (opened.format, opened.mode, opened.size) == ("JPEG", "RGB", (crop.place.width, crop.place.height))
    return opened


def near(pixel: object, wanted: tuple[int, int, int], by: int = 24) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(have - want) <= by for have, want in zip(pixel, wanted, strict=True))


@pytest.mark.parametrize(
    ("mode", "form"),
    [
        *(("RGB", form) for form in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")),
        ("RGBA", "PNG"),
        ("P", "PNG"),
        ("P", "GIF"),
        ("CMYK", "JPEG"),
        ("CMYK", "TIFF"),
        ("YCbCr", "TIFF"),
        ("LAB", "TIFF"),
    ],
)
async def test_a_crop_shows_the_pixels_of_its_box_whatever_the_colours_are_made_of(mode: str, form: str) -> None:
    image = Image.open(io.BytesIO(halves())).convert("RGB")
    data = lab(image) if mode == "LAB" else saved(image.convert(mode), form)
    left, right = await cut(data, LEFT_HALF, RIGHT_HALF)
    assert left
    assert right
    assert (left.place, right.place) == (Rectangle(0, 0, 100, 80), Rectangle(100, 0, 100, 80))
    assert near(decoded(left).getpixel((50, 40)), RED)
    assert near(decoded(right).getpixel((50, 40)), BLUE)


def lab(image: Image.Image) -> bytes:
    from PIL import ImageCms

    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    converted = ImageCms.applyTransform(image, to_lab)
    assert converted
    return saved(converted, "TIFF")


@pytest.mark.parametrize(
    ("mode", "white"), [("L", 255), ("1", 255), ("I;16", 65_535), ("I;16B", 65_535), ("I", 65_535), ("F", 1.0)]
)
async def test_greys_keep_their_brightness_however_deep_they_are(mode: str, white: float) -> None:
    image = Image.new(mode, (200, 80), 0)
    image.paste(white if mode == "F" else int(white), (100, 0, 200, 80))
    data = saved(image, "TIFF")
    assert near((await one(data, LEFT_HALF)).getpixel((50, 40)), (0, 0, 0))
    assert near((await one(data, RIGHT_HALF)).getpixel((50, 40)), (255, 255, 255))


async def test_a_png_of_16_bits_is_not_white_all_over() -> None:
    image = Image.new("I;16", (50, 50), 32_800)
    assert near((await one(saved(image, "PNG"), LEFT_HALF)).getpixel((20, 20)), (127, 127, 127))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30])
async def test_pixels_that_are_no_numbers_break_nothing(value: float) -> None:
    assert await one(saved(Image.new("F", (50, 50), value), "TIFF"), LEFT_HALF)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
async def test_pixels_are_taken_as_exif_turns_them(form: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter: what was on the left is at the top
    top = {"merged_bbox": {"x": 0, "y": 0, "width": 80, "height": 100}}
    crop = await one(halves(form=form, exif=exif), top)
    assert (crop.size, near(crop.getpixel((40, 50)), RED)) == ((80, 100), True)


async def test_every_box_has_its_place_in_the_answer_and_one_beside_the_image_gets_no_crop() -> None:
    found = await cut(halves(), BESIDE, LEFT_HALF, None, RIGHT_HALF)
    assert [crop and crop.place.x for crop in found] == [None, 0, None, 100]


async def test_crops_that_do_not_fit_into_memory_together_are_left_for_another_time() -> None:
    whole = {"merged_bbox": {"x": 0, "y": 0, "width": 90, "height": 90}}
    image = noise(90, 90)
    (first,) = await cut(image, whole)
    assert first
    size = len(first.jpeg)
    assert len(await cut(image, *[whole] * 5, most_bytes=size * 3)) == 3
    assert len(await cut(image, *[whole] * 5, most_bytes=1)) == 1, "and there is always one"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "IMAGE_UNREADABLE"),
        (b"not an image", "IMAGE_UNREADABLE"),
        (noise(90, 90)[:-2000], "IMAGE_UNREADABLE"),
        (halves(form="JPEG")[:-200], "IMAGE_UNREADABLE"),
        (huge_png(100_000, 100_000), "IMAGE_TOO_LARGE"),
        (huge_png(100, 100), "IMAGE_UNREADABLE"),
    ],
)
async def test_an_image_that_cannot_be_cut_says_why(data: bytes, code: str) -> None:
    with pytest.raises(WindmillError) as error:
        await cut(data, LEFT_HALF)
    assert (error.value.code, error.value.retry) == (code, "never")
