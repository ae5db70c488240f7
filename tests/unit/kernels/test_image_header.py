"""Width and height out of the first bytes of image files."""

import io
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from windmill.kernels.media.image_header import dimensions, format_of

SIZE = (203, 151)


def drawn(form: str, mode: str = "RGB", size: tuple[int, int] = SIZE, **options: str | bytes | bool | int) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, 77).save(file, form, **options)
    return file.getvalue()


def animated(form: str) -> bytes:
    frames = [Image.new("RGB", SIZE, colour) for colour in ("red", "green", "blue")]
    file = io.BytesIO()
    frames[0].save(file, form, save_all=True, append_images=frames[1:], duration=50)
    return file.getvalue()


def with_thumbnail() -> bytes:
    """A JPEG whose EXIF segment holds a smaller JPEG before the real frame header."""
    exif = b"Exif\0\0" + b"II*\0\x08\0\0\0\0\0\0\0\0\0" + drawn("JPEG", size=(16, 12))
    return drawn("JPEG", exif=exif)


def interlaced() -> bytes:
    """A PNG that says it is interlaced; Pillow writes none."""
    png = bytearray(drawn("PNG"))
    png[28] = 1
    return bytes(png)


def bottom_up_reversed(bmp: bytes) -> bytes:
    return bmp[:22] + struct.pack("<i", -SIZE[1]) + bmp[26:]


def os2() -> bytes:
    return b"BM" + bytes(12) + struct.pack("<IHHHH", 12, *SIZE, 1, 24) + bytes(300)


def big_endian_tiff(kind: int = 3) -> bytes:
    value = ">HHIHxx" if kind == 3 else ">HHII"
    entries = struct.pack(value, 256, kind, 1, SIZE[0]) + struct.pack(value, 257, kind, 1, SIZE[1])
    return b"MM\0*" + struct.pack(">I", 8) + struct.pack(">H", 2) + entries + bytes(4)


FILES = {
    "JPEG": drawn("JPEG"),
    "grey JPEG": drawn("JPEG", "L"),
    "progressive JPEG": drawn("JPEG", progressive=True),
    "JPEG with fill bytes": b"\xff\xd8\xff\xff\xff" + drawn("JPEG")[3:],
    "JPEG with a restart interval": drawn("JPEG", restart_marker_rows=1),
    "JPEG with a thumbnail": with_thumbnail(),
    "PNG": drawn("PNG"),
    "PNG of 16 bits": drawn("PNG", "I;16"),
    "PNG with a palette": drawn("PNG", "P"),
    "interlaced PNG": interlaced(),
    "GIF": drawn("GIF", "P"),
    "animated GIF": animated("GIF"),
    "BMP": drawn("BMP"),
    "BMP from top to bottom": bottom_up_reversed(drawn("BMP")),
    "BMP of OS/2": os2(),
    "WebP": drawn("WEBP"),
    "lossless WebP": drawn("WEBP", lossless=True),
    "WebP with alpha": drawn("WEBP", "RGBA"),
    "animated WebP": animated("WEBP"),
    "TIFF": drawn("TIFF"),
    "compressed TIFF": drawn("TIFF", compression="tiff_lzw"),
    "big-endian TIFF": big_endian_tiff(),
    "big-endian TIFF with long numbers": big_endian_tiff(4),
}


@pytest.mark.parametrize("name", FILES)
def test_each_kind_of_file_tells_its_size(name: str) -> None:
    assert dimensions(FILES[name]) == SIZE


@pytest.mark.parametrize("name", FILES)
def test_each_kind_of_file_tells_its_format(name: str) -> None:
    form = format_of(FILES[name])
    assert form is not None
    assert form in name


def test_the_thumbnail_is_really_in_the_file_and_has_a_frame_header() -> None:
    assert FILES["JPEG with a thumbnail"].count(b"\xff\xd8\xff") == 2


@pytest.mark.parametrize("side", [1, 255, 256, 16383])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"])
def test_sides_of_one_byte_and_of_two(form: str, side: int) -> None:
    assert dimensions(drawn(form, "L", (side, 3))) == (side, 3)
    assert dimensions(drawn(form, "L", (3, side))) == (3, side)


@pytest.mark.parametrize("name", FILES)
def test_a_header_that_is_cut_tells_nothing_wrong(name: str) -> None:
    for end in range(min(len(FILES[name]), 700)):
        assert dimensions(FILES[name][:end]) in (None, SIZE)
    assert dimensions(FILES[name][:9]) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"\xff\xd8",
        b"\xff\xd8\xff\xd9",
        b"<svg/>" + bytes(40),
        b"RIFF\x40\0\0\0WAVEfmt " + bytes(40),
        drawn("PNG")[:16] + bytes(40),  # a side of 0
        b"BM" + bytes(12) + struct.pack("<Iii", 40, -5, 5) + bytes(40),
        b"II*\0\xff\xff\xff\xff" + bytes(40),
        b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 256, 5, 1, 99) + bytes(40),
    ],
)
def test_what_is_no_image_header_tells_nothing(data: bytes) -> None:
    assert dimensions(data) is None


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8" + b"\xff\xe0\0\2" * 2_000_000,
        b"\xff\xd8" + b"\xff\xe0\0\0" * 2_000_000,
        b"\xff\xd8" + b"\xff" * 8_000_000,
        b"\xff\xd8" + b"\xff\xd0" * 4_000_000,
        b"II*\0\x08\0\0\0\xff\xff" + bytes(8_000_000),
    ],
    ids=["tiny segments", "segments without length", "fill bytes", "restart markers", "a huge directory"],
)
def test_a_hostile_file_is_given_up_soon(data: bytes) -> None:
    began = time.process_time()
    assert dimensions(data) is None
    assert time.process_time() - began < 0.05


@given(st.binary(max_size=200), st.sampled_from([b"", *(file[:30] for file in FILES.values())]))
def test_any_bytes_give_a_size_or_nothing(data: bytes, head: bytes) -> None:
    size = dimensions(head + data)
    assert size is None or min(size) > 0


@given(st.sampled_from(sorted(FILES)), st.data())
def test_a_spoilt_header_gives_a_size_or_nothing(name: str, draw: st.DataObject) -> None:
    file = bytearray(FILES[name])
    for _ in range(draw.draw(st.integers(1, 6))):
        file[draw.draw(st.integers(0, min(len(file), 300) - 1))] = draw.draw(st.integers(0, 255))
    size = dimensions(bytes(file))
    assert size is None or min(size) > 0
