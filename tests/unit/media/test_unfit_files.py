"""Reading files that are unfit: too large, empty, of another kind, or on a share that is not mounted."""

import struct
from pathlib import Path

import pytest

from tests.unit.imaging import JPEG, at_path, refusal, refused, source
from windmill.core.errors import WindmillError
from windmill.media.image.file_reader import FileReader
from windmill.media.image.source import looks_like_image


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a picture, beside one that must not be read."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(JPEG)
    (tmp_path / "secret.jpg").write_bytes(JPEG)
    (tmp_path / "pictures-of-others").mkdir()
    (tmp_path / "pictures-of-others" / "a.jpg").write_bytes(JPEG)
    return folder


@pytest.mark.parametrize("path", ["/proc/self/status", "/sys/devices/system/cpu/online"])
def test_a_file_with_more_or_fewer_bytes_than_it_was_said_to_have_is_read_later(path: str) -> None:
    """The first of these says that it has none, the second that it has a page full."""
    with pytest.raises(WindmillError, match="changed while it was read") as error:
        FileReader(Path("/"), 10_000).read(path)
    assert (error.value.code, error.value.retry) == ("IMAGE_UNREADABLE", "later")


async def test_an_empty_file_is_called_so(root: Path) -> None:
    (root / "empty.jpg").touch()
    async with source(root) as images:
        assert (await refusal(images, at_path("empty.jpg"))).message == "the file is empty"


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height)


async def test_an_image_of_too_many_pixels_is_not_sent_however_few_bytes_it_has(root: Path) -> None:
    (root / "fits.png").write_bytes(png(100, 100))
    (root / "bomb.png").write_bytes(png(73, 137))
    async with source(root, pixels=10_000) as images:
        assert await images.read(at_path("fits.png")) == png(100, 100)
        error = await refusal(images, at_path("bomb.png"))
    assert (error.code, error.retry) == ("IMAGE_TOO_LARGE", "never")
    assert error.message == "73 x 137 is 10001 pixels, over MAX_IMAGE_PIXELS=10000"


async def test_a_file_of_exactly_the_limit_is_read(root: Path) -> None:
    (root / "full.jpg").write_bytes(JPEG.ljust(2048, b"x"))
    async with source(root) as images:
        assert len(await images.read(at_path("full.jpg"))) == 2048


@pytest.mark.parametrize(
    ("head", "fits"),
    [
        (b"\xff\xd8\xff\xdb", True),
        (b"\x89PNG\r\n\x1a\n\x00", True),
        (b"GIF89a", True),
        (b"BM\x00\x00", True),
        (b"RIFF\x00\x00\x00\x00WEBP", True),
        (b"II*\x00", True),
        (b"MM\x00*", True),
        (b"", False),
        (b"\xff", False),
        (b"RIFF\x00\x00\x00\x00AVI ", False),
        (b"<!doctype html>", False),
        (b"%PDF-1.7", False),
        (b"\x00\x00\x00\x00", False),
    ],
)
def test_images_are_told_by_how_they_begin(head: bytes, fits: bool) -> None:
    assert looks_like_image(head) is fits


@pytest.mark.parametrize("there", [True, False])
async def test_while_image_root_is_empty_or_gone_the_image_is_waited_for(tmp_path: Path, there: bool) -> None:
    """A share that is not mounted would otherwise fail every job for good."""
    root = tmp_path / "share"
    if there:
        root.mkdir()
    async with source(root) as images:
        assert await refused(images, at_path("a.jpg")) == ("IMAGE_NOT_FOUND", "pause")


async def test_while_image_root_is_broken_the_image_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "circle").symlink_to("circle")
    for name in ("file", "circle"):
        async with source(tmp_path / name) as images:
            assert await refused(images, at_path("a.jpg")) == ("IMAGE_NOT_FOUND", "pause")


async def test_a_root_that_is_not_there_makes_every_job_wait_wherever_its_image_lies(
    root: Path, tmp_path: Path
) -> None:
    (root / "a.jpg").write_bytes(JPEG)
    async with source(tmp_path / "not-mounted") as images:
        error = await refusal(images, at_path(root / "a.jpg"))
    assert (error.code, error.retry) == ("IMAGE_NOT_FOUND", "pause")
    assert "not-mounted" in error.message
