"""Reading files: what lies outside the border is refused, and each way to fail has its own code."""

import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.imaging import JPEG, NOON, at_path, refused, source
from windmill.core.errors import WindmillError
from windmill.core.messages import Job
from windmill.media.image.file_reader import FileReader


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


async def test_a_file_is_read_by_absolute_and_by_relative_path(root: Path) -> None:
    (root / "x").mkdir()
    (root / "inner").symlink_to("a.jpg")
    async with source(root) as images:
        for path in (root / "a.jpg", "a.jpg", "./x/../a.jpg", "inner"):
            assert await images.read(at_path(path)) == JPEG


async def test_a_path_wins_over_a_url(root: Path) -> None:
    async with source(root) as images:
        assert await images.read(Job(1, "", "a.jpg", "http://127.0.0.1:1/never", NOON)) == JPEG


@pytest.mark.parametrize(
    "path", ["../secret.jpg", "x/../../secret.jpg", "/etc/passwd", "../pictures-of-others/a.jpg", "out", "outdir/a.jpg"]
)
async def test_a_path_that_leaves_image_root_is_forbidden(root: Path, path: str) -> None:
    (root / "out").symlink_to("../secret.jpg")
    (root / "outdir").symlink_to("../pictures-of-others")
    async with source(root) as images:
        assert await refused(images, at_path(path)) == ("IMAGE_FORBIDDEN", "never")


async def test_an_absolute_path_outside_the_root_is_forbidden_even_when_nothing_is_there(root: Path) -> None:
    async with source(root) as images:
        assert await refused(images, at_path(root.parent / "nothing.jpg")) == ("IMAGE_FORBIDDEN", "never")


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def test_each_file_that_cannot_be_read_says_why(root: Path) -> None:
    (root / "empty.jpg").touch()
    (root / "text.jpg").write_text("<html>")
    (root / "large.jpg").write_bytes(JPEG + bytes(2048))
    (root / "folder.jpg").mkdir()
    (root / "loop.jpg").symlink_to("loop.jpg")
    (root / "dangling.jpg").symlink_to("nothing.jpg")
    (root / "device.jpg").symlink_to("/dev/zero")
    os.mkfifo(root / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket.jpg"))
    expected = {
        "missing.jpg": ("IMAGE_NOT_FOUND", "never"),
        "dangling.jpg": ("IMAGE_NOT_FOUND", "never"),
        "empty.jpg": ("IMAGE_UNREADABLE", "never"),
        "text.jpg": ("IMAGE_UNREADABLE", "never"),
        "folder.jpg": ("IMAGE_UNREADABLE", "never"),
        "loop.jpg": ("IMAGE_UNREADABLE", "never"),
        "pipe.jpg": ("IMAGE_UNREADABLE", "never"),
        "socket.jpg": ("IMAGE_UNREADABLE", "never"),
        "device.jpg": ("IMAGE_FORBIDDEN", "never"),
        "nul\0.jpg": ("IMAGE_UNREADABLE", "never"),
        "\ud800.jpg": ("IMAGE_UNREADABLE", "never"),
        "a.jpg/b.jpg": ("IMAGE_NOT_FOUND", "never"),
        "x" * 300: ("IMAGE_NOT_FOUND", "never"),
        "x/" * 4000: ("IMAGE_NOT_FOUND", "never"),
        "large.jpg": ("IMAGE_TOO_LARGE", "never"),
    }
    async with source(root) as images:
        opened = open_descriptors()
        assert {name: await refused(images, at_path(name)) for name in expected} == expected
        assert open_descriptors() == opened


@contextmanager
def nobody() -> Iterator[None]:
    """Without the rights of root, who may read every file."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that an account without rights gets to."""
    with tempfile.TemporaryDirectory(prefix="windmill-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        (folder / "a.jpg").write_bytes(JPEG)
        yield folder


def test_a_file_that_may_not_be_read_is_forbidden(open_to_all: Path) -> None:
    (open_to_all / "a.jpg").chmod(0)
    with nobody(), pytest.raises(WindmillError, match="may not be read") as error:
        FileReader(open_to_all, 2048).read("a.jpg")
    assert error.value.code == "IMAGE_FORBIDDEN"


def test_a_folder_that_cannot_be_listed_does_not_count_as_one_that_is_not_mounted(open_to_all: Path) -> None:
    open_to_all.chmod(0o311)
    folder = FileReader(open_to_all, 2048)
    with nobody(), pytest.raises(WindmillError, match=r"there is no file b\.jpg"):
        folder.read("b.jpg")
    with nobody():
        assert folder.read("a.jpg") == JPEG
    open_to_all.chmod(0o755)


async def test_root_may_be_a_link_and_files_may_be_named_by_it_or_past_it(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    (tmp_path / "another").symlink_to(root)
    (root / "a..b.jpg").write_bytes(JPEG)
    async with source(tmp_path / "link") as images:
        for path in ("a.jpg", "a..b.jpg", tmp_path / "link/a.jpg", root / "a.jpg", tmp_path / "another/a.jpg"):
            assert await images.read(at_path(path)) == JPEG
        assert await refused(images, at_path(tmp_path / "link/../secret.jpg")) == ("IMAGE_FORBIDDEN", "never")


async def test_below_the_root_of_the_file_system_everything_lies_inside(root: Path) -> None:
    async with source(Path("/")) as images:
        assert await images.read(at_path(root / "a.jpg")) == JPEG
        assert await images.read(at_path(str(root / "a.jpg")[1:])) == JPEG
        assert await refused(images, at_path("/dev/zero")) == ("IMAGE_UNREADABLE", "never")
        assert await refused(images, at_path("/no/such.jpg")) == ("IMAGE_NOT_FOUND", "never")


async def test_nothing_is_told_of_what_lies_outside_not_even_whether_it_is_there(root: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    links = {"file": "../secret.jpg", "none": "../none.jpg", "pipe": "../pipe", "folder": "/usr", "deep": "/etc/a/b/c"}
    for name, target in links.items():
        (root / name).symlink_to(target)
    async with source(root) as images:
        for name in [*links, *links.values(), "../" + "x" * 300, "/proc/self/mem", "/dev/zero"]:
            assert await refused(images, at_path(name)) == ("IMAGE_FORBIDDEN", "never"), name


def test_what_plainly_lies_outside_is_not_even_opened(root: Path, tmp_path: Path) -> None:
    """To open a device can have effects. A named pipe tells whether it was opened: its writer waits for that."""
    os.mkfifo(tmp_path / "pipe")
    opened = threading.Event()

    def write() -> None:
        with (tmp_path / "pipe").open("wb"):
            opened.set()

    writer = threading.Thread(target=write)
    writer.start()
    time.sleep(0.1)  # until the system has it wait, which nothing tells
    for path in ("../pipe", f"{root}/../pipe", str(tmp_path / "pipe")):
        assert outcome(FileReader(root, 2048), path) == "IMAGE_FORBIDDEN"
    assert not opened.wait(0.2)
    with (tmp_path / "pipe").open("rb"):
        writer.join(5)


def test_a_link_that_is_exchanged_meanwhile_never_leads_outside(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(JPEG + b"secret")
    stop = threading.Event()

    def exchange() -> None:
        while not stop.is_set():
            for target in ("a.jpg", "../secret.jpg"):
                (root / "next").symlink_to(target)
                (root / "next").replace(root / "turning.jpg")

    thread = threading.Thread(target=exchange)
    (root / "turning.jpg").symlink_to("a.jpg")
    thread.start()
    seen = {outcome(FileReader(root, 2048), "turning.jpg") for _ in range(3000)}
    stop.set()
    thread.join()
    assert seen == {JPEG, "IMAGE_FORBIDDEN"}


def outcome(folder: FileReader, path: str) -> bytes | str:
    try:
        return folder.read(path)
    except WindmillError as error:
        return error.code


def named_by_the_kernel(folder: Path, name: str) -> str:
    """A stand-in for /proc/self/fd that gives every open file this name."""
    folder.mkdir()
    for descriptor in range(256):
        (folder / str(descriptor)).symlink_to(name)
    return str(folder)


def test_the_name_of_the_open_file_decides_and_not_the_path(root: Path, tmp_path: Path) -> None:
    names = named_by_the_kernel(tmp_path / "fd", str(tmp_path / "pictures-of-others/a.jpg"))
    assert outcome(FileReader(root, 2048, names), "a.jpg") == "IMAGE_FORBIDDEN"


def test_a_file_that_was_deleted_once_it_was_open_is_still_read(root: Path, tmp_path: Path) -> None:
    names = named_by_the_kernel(tmp_path / "fd", f"{root}/a.jpg (deleted)")
    assert outcome(FileReader(root, 2048, names), "a.jpg") == JPEG


def test_without_proc_the_border_holds_too(root: Path, tmp_path: Path) -> None:
    (root / "out").symlink_to("../secret.jpg")
    folder = FileReader(root, 2048, str(tmp_path / "no-proc"))
    assert outcome(folder, "a.jpg") == JPEG
    assert outcome(folder, "out") == "IMAGE_FORBIDDEN"
