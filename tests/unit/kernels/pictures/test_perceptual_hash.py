"""Hashes of pictures that look alike are near, and others are far."""

import random

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from tests.unit.kernels.test_fingerprint import saved
from windmill.kernels.pictures.perceptual_hash import SIDE, perceptual_hash
from windmill.media.image.hashing import hash_picture


def drawn(seed: int, size: tuple[int, int] = (640, 480)) -> Image.Image:
    """Some large shapes."""
    dice = random.Random(seed)
    picture = Image.new("RGB", size, tuple(dice.randbytes(3)))
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        across, down = (sorted(dice.randrange(side) for _ in range(2)) for side in size)
        draw.ellipse((across[0], down[0], across[1], down[1]), fill=tuple(dice.randbytes(3)))
    return picture


def hashed(picture: Image.Image, form: str = "PNG", **options: object) -> int:
    return hash_picture(saved(picture, form, **options), max_pixels=10_000_000).phash


def distance(one: int, other: int) -> int:
    return ((one ^ other) & 2**64 - 1).bit_count()


def test_the_bits_are_those_of_the_cosine_transform_row_by_row() -> None:
    greys = np.asarray(drawn(1).convert("L").resize((SIDE, SIDE)), np.float64)
    lowest = np.round(cv2.dct(greys)[:8, :8], 2)
    bits = np.packbits((lowest > np.median(lowest)).ravel()).tobytes()
    assert perceptual_hash(greys.astype(np.uint8).tobytes()) == int.from_bytes(bits, "big", signed=True)


@pytest.mark.parametrize("seed", range(5))
def test_another_size_format_quality_or_brightness_hardly_changes_it(seed: int) -> None:
    picture = drawn(seed)
    original = hashed(picture)
    variants = {
        "smaller": hashed(picture.resize((320, 240))),
        "larger": hashed(picture.resize((1_600, 1_200)), "JPEG", quality=95),
        "JPEG": hashed(picture, "JPEG", quality=40),
        "WebP": hashed(picture, "WEBP", quality=50),
        "brighter": hashed(ImageEnhance.Brightness(picture).enhance(1.05)),
    }
    assert {name: one for name, one in variants.items() if distance(original, one) > 3} == {}


def test_other_pictures_are_far() -> None:
    hashes = [hashed(drawn(seed)) for seed in range(12)]
    assert min(distance(a, b) for a in hashes for b in hashes if a != b) > 10
    assert len(set(hashes)) == len(hashes)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF"])
def test_a_turned_picture_has_the_hash_and_the_size_of_the_upright_one(form: str) -> None:
    picture = drawn(3)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = saved(picture.transpose(Image.Transpose.ROTATE_90), form, exif=exif)
    made = hash_picture(turned, max_pixels=10_000_000)
    assert (made.width, made.height) == picture.size
    assert distance(made.phash, hashed(picture)) <= 3


def test_transparent_deep_and_even_pictures_have_one() -> None:
    greys = Image.fromarray((np.arange(SIDE * SIDE).reshape(SIDE, SIDE) * 60).astype(np.uint16))
    for picture in (drawn(4).convert("RGBA"), drawn(4).convert("P"), greys, Image.new("L", (9, 9), 7)):
        assert -(2**63) <= hashed(picture) < 2**63
