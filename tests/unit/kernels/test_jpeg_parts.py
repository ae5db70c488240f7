"""Where the frame, the EXIF block and the pixels of a JPEG file start."""

import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windmill.kernels.media.jpeg_parts import JpegParts, jpeg_parts

FRAME = struct.pack(">BHHBB", 8, 20, 30, 1, 0) + b"\x01\x11\0"


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


EXIF = segment(0xE1, b"Exif\0\0II*\0")
SCAN = segment(0xDA, b"\x01")


def test_each_part_is_found() -> None:
    data = b"\xff\xd8" + EXIF + segment(0xDB, bytes(64)) + segment(0xC2, FRAME) + SCAN + b"pixels"
    parts = jpeg_parts(data)
    assert data[parts.exif : parts.exif_end] == b"II*\0"
    assert data[parts.frame : parts.frame + 2] == b"\xff\xc2"
    assert data[parts.scan :] == SCAN + b"pixels"


@pytest.mark.parametrize("padding", [b"\xff", b"\xff\xff\xff", b"\xff\x01", b"\xff\xd0"])
def test_fill_bytes_and_bare_markers_are_skipped(padding: bytes) -> None:
    data = b"\xff\xd8" + padding + segment(0xC0, FRAME) + padding + SCAN
    parts = jpeg_parts(data)
    assert data[parts.frame + 1] == 0xC0
    assert data[parts.scan :] == SCAN


def test_the_first_exif_block_counts_and_other_data_of_its_kind_does_not() -> None:
    data = b"\xff\xd8" + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0") + EXIF + segment(0xE1, b"Exif\0\0MM") + SCAN
    parts = jpeg_parts(data)
    assert data[parts.exif : parts.exif_end] == b"II*\0"


@pytest.mark.parametrize("end", [b"\xff\xd9" + SCAN, b"no marker" + SCAN, b"", b"\xff"])
def test_what_comes_after_the_end_is_not_looked_at(end: bytes) -> None:
    assert jpeg_parts(b"\xff\xd8" + EXIF + end).scan == 0


@given(st.binary())
def test_no_bytes_break_it_and_every_offset_lies_behind_the_start(rest: bytes) -> None:
    parts = jpeg_parts(b"\xff\xd8" + rest)
    assert all(offset >= 0 for offset in parts)
    assert parts.scan <= len(rest)


def test_a_file_of_countless_segments_costs_a_moment() -> None:
    hostile = b"\xff\xd8" + b"\xff\xe0\0\x02" * 1_000_000
    began = time.process_time()
    assert jpeg_parts(hostile) == JpegParts()
    assert time.process_time() - began < 0.05
