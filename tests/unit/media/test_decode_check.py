"""Whose fault it is when a service fails on an image."""

import io
import logging
import random
import re
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from windmill.media.image.decode_check import fault_of_image

MOST = 10**8


def noisy(form: str, mode: str = "RGB", **options: str | bytes | bool | int) -> bytes:
    """A picture of noise: its pixels fill nearly all of the file."""
    pixels = random.Random(3).randbytes(90 * 70 * 3)
    file = io.BytesIO()
    Image.frombytes("RGB", (90, 70), pixels).convert(mode).save(file, form, **options)
    return file.getvalue()


FILES = {
    "JPEG": noisy("JPEG"),
    "grey JPEG": noisy("JPEG", "L"),
    "CMYK JPEG": noisy("JPEG", "CMYK"),
    "progressive JPEG": noisy("JPEG", progressive=True),
    "PNG": noisy("PNG"),
    "PNG with alpha": noisy("PNG", "RGBA"),
    "GIF": noisy("GIF", "P"),
    "BMP": noisy("BMP"),
    "WebP": noisy("WEBP"),
    "lossless WebP": noisy("WEBP", lossless=True),
    "TIFF": noisy("TIFF"),
    "TIFF in LZW": noisy("TIFF", compression="tiff_lzw"),
}
CHECKSUMMED = ["PNG", "PNG with alpha"]


def code_of(data: bytes, most_pixels: int = MOST) -> str | None:
    fault = fault_of_image(data, most_pixels)
    return fault.code if fault else None


def huge_png(width: int, height: int) -> bytes:
    """A PNG that says it is huge and has no pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


@pytest.mark.parametrize("name", FILES)
def test_a_good_image_has_no_fault(name: str) -> None:
    assert fault_of_image(FILES[name], MOST) is None


@pytest.mark.parametrize("percent", [0, 1, 5, 10, 25, 50, 75, 90, 99])
@pytest.mark.parametrize("name", FILES)
def test_a_truncated_image_is_unreadable_wherever_it_is_cut(name: str, percent: int) -> None:
    whole = FILES[name]
    assert code_of(whole[: len(whole) * percent // 100]) == "IMAGE_UNREADABLE"


@pytest.mark.parametrize("lost", [3, 10, 40])
@pytest.mark.parametrize("name", ["JPEG", "progressive JPEG"])
def test_a_jpeg_that_lacks_its_last_bytes_is_unreadable(name: str, lost: int) -> None:
    """Though it is decoded at an eighth of its size."""
    assert code_of(FILES[name][:-lost]) == "IMAGE_UNREADABLE"


@pytest.mark.parametrize("name", CHECKSUMMED)
def test_garbage_amid_compressed_pixels_is_noticed_where_the_format_has_a_checksum(name: str) -> None:
    dice = random.Random(5)
    for _ in range(20):
        spoilt = bytearray(FILES[name])
        at = dice.randrange(len(spoilt) // 4, len(spoilt) * 3 // 4)
        spoilt[at : at + 32] = dice.randbytes(32)
        assert code_of(bytes(spoilt)) == "IMAGE_UNREADABLE"


@pytest.mark.parametrize("name", ["JPEG", "progressive JPEG", "BMP", "WebP", "TIFF"])
def test_garbage_amid_other_pixels_often_decodes_to_other_pixels(name: str) -> None:
    """Which is no fault that could be seen: such formats have no checksum."""
    spoilt = bytearray(FILES[name])
    middle = len(spoilt) // 2
    spoilt[middle : middle + 4] = b"\x12\x34\x56\x78"
    assert code_of(bytes(spoilt)) is None


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"<svg/>", b"\xff\xd8\xff\xe0", b"BM" + bytes(90), b"%PDF-1.7"])
def test_what_is_no_image_is_unreadable(data: bytes) -> None:
    assert code_of(data) == "IMAGE_UNREADABLE"


def test_an_image_without_height_is_unreadable() -> None:
    assert code_of(huge_png(10, 0)) == "IMAGE_UNREADABLE"


def test_the_limit_on_pixels_is_inclusive() -> None:
    assert code_of(FILES["PNG"], 90 * 70) is None
    assert code_of(FILES["PNG"], 90 * 70 - 1) == "IMAGE_TOO_LARGE"


@pytest.mark.parametrize("sides", [(20_000, 20_000), (2**31 - 1, 2**31 - 1)])
def test_too_many_pixels_are_told_from_the_header_alone(sides: tuple[int, int]) -> None:
    """The file has no pixels: had anything been decoded, it would be unreadable."""
    fault = fault_of_image(huge_png(*sides), MOST)
    assert fault is not None
    assert (fault.code, fault.retry) == ("IMAGE_TOO_LARGE", "never")
    assert fault.message == f"the image has {sides[0]} x {sides[1]} pixels, over the limit of {MOST}"


def test_a_gif_frame_that_reaches_beyond_its_canvas_counts() -> None:
    gif = bytearray(FILES["GIF"])
    gif[6:10] = struct.pack("<HH", 2, 2)
    assert code_of(bytes(gif), 90 * 70 - 1) == "IMAGE_TOO_LARGE"


def test_the_limit_of_pillow_is_neither_met_nor_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert code_of(FILES["JPEG"]) is None
    assert Image.MAX_IMAGE_PIXELS == 100


def test_what_pillow_itself_finds_too_large_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """No way of opening a WebP avoids Pillow's limit."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert code_of(FILES["WebP"]) == "IMAGE_TOO_LARGE"


def test_a_warning_of_pillow_is_no_fault_and_reaches_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """A PNG with a broken animation header, of which Pillow warns."""
    chunk = b"acTL" + struct.pack(">II", 0, 0)
    control = struct.pack(">I", 8) + chunk + struct.pack(">I", zlib.crc32(chunk))
    spoilt = FILES["PNG"][:33] + control + FILES["PNG"][33:]
    with pytest.warns(UserWarning, match="APNG"):
        Image.open(io.BytesIO(spoilt)).close()
    before = list(warnings.filters)
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("error")
        assert fault_of_image(spoilt, MOST) is None
    assert (seen, caplog.messages, warnings.filters) == ([], [], before)


@pytest.mark.parametrize("name", FILES)
def test_the_reason_is_the_same_every_time_and_tells_no_internals(name: str) -> None:
    half = FILES[name][: len(FILES[name]) // 2]
    first, again = fault_of_image(half, MOST), fault_of_image(half, MOST)
    assert first is not None
    assert again is not None
    assert first.message == again.message
    assert not re.search(r"0x|<|PIL|Error", first.message)
    assert len(first.message) < 80


def test_pillow_is_not_loaded_before_an_image_is_checked() -> None:
    asked = (
        "import sys, windmill.media.image.decode_check; sys.exit(any(name.startswith('PIL') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


MEASURE = """
import re, sys
from pathlib import Path
from windmill.media.image.decode_check import fault_of_image
data = sys.stdin.buffer.read()
fault_of_image(Path(sys.argv[1]).read_bytes(), 10**9)
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
before = peak()
fault = fault_of_image(data, 10**9)
print(peak() - before, fault.code if fault else "good")
"""


@pytest.mark.parametrize(("lost", "said"), [(0, "good"), (2000, "IMAGE_UNREADABLE")])
def test_a_jpeg_of_64_megapixels_costs_little_memory(tmp_path: Path, lost: int, said: str) -> None:
    """Its pixels would be 192 MB; whether it is truncated is noticed all the same."""
    small = tmp_path / "small.jpg"
    small.write_bytes(FILES["JPEG"])
    file = io.BytesIO()
    Image.new("RGB", (8000, 8000), "teal").save(file, "JPEG")
    large = file.getvalue()
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(small)], input=large[: len(large) - lost], capture_output=True, check=True
    )
    kibibytes, fault = done.stdout.decode().split()
    assert fault == said
    assert int(kibibytes) < 20_000


@given(st.binary(max_size=300), st.sampled_from([b"", *(file[:40] for file in FILES.values())]))
def test_any_bytes_are_judged(data: bytes, head: bytes) -> None:
    assert code_of(head + data) in (None, "IMAGE_UNREADABLE", "IMAGE_TOO_LARGE")


@settings(deadline=None)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_a_spoilt_image_is_judged(name: str, draw: st.DataObject) -> None:
    file = bytearray(FILES[name])
    for _ in range(draw.draw(st.integers(1, 8))):
        at = draw.draw(st.one_of(st.integers(0, 120), st.integers(0, len(file) - 1)))
        file[at] = draw.draw(st.integers(0, 255))
    assert code_of(bytes(file), 10**6) in (None, "IMAGE_UNREADABLE", "IMAGE_TOO_LARGE")
