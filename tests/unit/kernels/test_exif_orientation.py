"""Which turn a header asks for, in every format that can ask for one, and in headers that are broken."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from windmill.kernels.media.exif_orientation import orientation_of, swaps_sides
from windmill.kernels.media.jpeg_parts import jpeg_parts

FORMS = ["JPEG", "PNG", "WEBP", "TIFF"]


def turned(form: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.new("RGB", (30, 20), (200, 10, 10)).save(file, form, exif=exif)
    return file.getvalue()


def jpeg_with(exif: bytes) -> bytes:
    body = b"Exif\0\0" + exif
    return b"\xff\xd8\xff\xe1" + struct.pack(">H", len(body) + 2) + body + b"\xff\xda\0\x02pixels"


def tiff_block(order: str = ">", tag: int = 0x0112, kind: int = 3, values: int = 1, value: int = 6) -> bytes:
    magic = b"MM\0*" if order == ">" else b"II*\0"
    return magic + struct.pack(order + "IHHHIHHI", 8, 1, tag, kind, values, value, 0, 0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_turn_is_read_in_each_format(form: str, orientation: int) -> None:
    assert orientation_of(turned(form, orientation)) == orientation


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_are_read(order: str) -> None:
    assert orientation_of(jpeg_with(tiff_block(order))) == 6


@pytest.mark.parametrize(
    "block",
    [
        tiff_block(value=0),
        tiff_block(value=9),
        tiff_block(kind=4),
        tiff_block(values=2),
        tiff_block(tag=0x0113),
        b"XX" + tiff_block()[2:],
        b"",
    ],
)
def test_what_is_no_orientation_turns_nothing(block: bytes) -> None:
    assert orientation_of(jpeg_with(block)) == 1


@pytest.mark.parametrize("form", FORMS)
def test_a_header_that_is_cut_off_anywhere_turns_by_what_it_says_or_not_at_all(form: str) -> None:
    whole = turned(form, 6)
    assert {orientation_of(whole[:length]) for length in range(len(whole) + 1)} == {1, 6}


def test_a_tag_beyond_its_segment_is_not_read() -> None:
    cut = tiff_block()[:14]
    body = b"Exif\0\0" + cut
    beyond = b"\xff\xd8\xff\xe1" + struct.pack(">H", len(body) + 2) + body + tiff_block()[14:]
    assert orientation_of(beyond) == 1


@pytest.mark.parametrize("data", [b"", b"GIF89a" + bytes(30), b"no image", b"\0\0\0\x18ftypheic" + bytes(30)])
def test_formats_without_exif_are_upright(data: bytes) -> None:
    assert orientation_of(data) == 1


@given(st.sampled_from([b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"II*\0", b"MM\0*"]), st.binary())
def test_whatever_follows_the_first_bytes_is_some_orientation(magic: bytes, rest: bytes) -> None:
    assert orientation_of(magic + rest) in range(1, 9)


def test_the_walk_that_the_caller_made_is_used() -> None:
    data = turned("JPEG", 8)
    assert orientation_of(data, jpeg_parts(data)) == 8


def test_half_of_the_turns_swap_width_and_height() -> None:
    assert [swaps_sides(one) for one in range(1, 9)] == [False] * 4 + [True] * 4
