"""Whether an image is still the one that services have answered."""

import io
import random

import pytest
from PIL import Image

from windmill.core.errors import WindmillError
from windmill.media.image.change import KnownImage, must_be_unchanged, read_marks


def picture(seed: int = 1, size: tuple[int, int] = (60, 40), orientation: int = 1, form: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    pixels = random.Random(seed).randbytes(size[0] * size[1] * 3)
    Image.frombytes("RGB", size, pixels).save(file, form, exif=exif)
    return file.getvalue()


def refusal(image: bytes, known: KnownImage) -> str | None:
    try:
        must_be_unchanged(image, known)
    except WindmillError as error:
        return f"{error.code}: {error.message}"
    return None


def mark(image: bytes) -> int:
    return read_marks(image).fingerprint


def test_the_file_that_services_saw_is_unchanged() -> None:
    assert refusal(picture(), KnownImage((60, 40), (mark(picture()),))) is None


def test_an_exchanged_file_is_another_though_it_has_the_same_size() -> None:
    said = refusal(picture(2), KnownImage((60, 40), (mark(picture(1)),)))
    assert said == "IMAGE_CHANGED: the image was exchanged since services found its boxes"


def test_a_file_that_was_exchanged_between_two_services_cannot_be_cut_for_both() -> None:
    both = KnownImage(None, (mark(picture(1)), mark(picture(2))))
    assert refusal(picture(1), both)
    assert refusal(picture(2), both)


def test_a_wrong_size_in_a_list_does_no_harm_where_services_saw_the_file() -> None:
    assert refusal(picture(), KnownImage((17, 4), (mark(picture()),))) is None


def test_without_a_fingerprint_the_registered_size_tells() -> None:
    assert refusal(picture(), KnownImage((60, 40))) is None
    said = refusal(picture(), KnownImage((120, 80)))
    assert said
    assert "60 x 40" in said
    assert "120 x 80" in said


@pytest.mark.parametrize("registered", [(60, 40), (40, 60)])
def test_a_turned_image_may_be_registered_with_its_sides_either_way(registered: tuple[int, int]) -> None:
    assert refusal(picture(orientation=6), KnownImage(registered)) is None
    assert (refusal(picture(orientation=3), KnownImage(registered)) is None) is (registered == (60, 40))


@pytest.mark.parametrize("image", [picture(), b"whatever"])
def test_of_an_image_of_which_nothing_is_known_nothing_is_asked(image: bytes) -> None:
    assert refusal(image, KnownImage()) is None


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_marks_are_format_orientation_and_fingerprint(form: str) -> None:
    marks = read_marks(picture(orientation=8, form=form))
    assert (str(marks.form).upper(), marks.orientation) == (form, 8)
    assert marks.fingerprint != mark(picture(2, orientation=8, form=form))
