"""Images in archives, as they are registered."""

import io
import os
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.unit.archives import JPEG, tar_of, zip_of
from windmill.core.errors import WindmillError
from windmill.submit.image_listing import BadEntry, Entry, FoundImage, IgnoredFile, ImageAccess, list_entries

Maker = Callable[[Path, Mapping[str, bytes]], Path]


def listed(path: Path, root: Path) -> list[Entry]:
    return list(list_entries(str(path), io.StringIO(), ImageAccess(root.resolve())))


@pytest.mark.parametrize(("name", "make"), [("shard.tar", tar_of), ("shard.zip", zip_of)])
def test_each_image_in_an_archive_is_registered_where_it_lies(tmp_path: Path, name: str, make: Maker) -> None:
    path = tmp_path / name
    make(path, {"0/a.jpg": JPEG, "0/a.json": b"{}", "README": b"", "b.PNG": b"no image", "c.jpg": b"", "d.jpg": JPEG})
    assert listed(path, tmp_path) == [
        FoundImage("a.jpg", f"{path}#0/a.jpg", None),
        IgnoredFile(".json"),
        IgnoredFile(""),
        BadEntry(f"{path}#b.PNG", "does not begin as an image"),
        BadEntry(f"{path}#c.jpg", "is empty"),
        FoundImage("d.jpg", f"{path}#d.jpg", None),
    ]


def test_members_that_are_refused_are_named(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", {"/abs.jpg": JPEG, "../up.jpg": JPEG, "a.jpg": JPEG})
    with tarfile.open(path, "a") as archive:
        link = tarfile.TarInfo("link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "a.jpg"
        archive.addfile(link)
    found = listed(path, tmp_path)
    assert [entry.reason for entry in found if isinstance(entry, BadEntry)] == [
        "has an absolute name",
        "has .. in its name",
        "is a link",
    ]
    assert sum(isinstance(entry, FoundImage) for entry in found) == 1


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tgz", "a.tar.bz2", "a.tar.xz", "A.TAR.ZST"])
def test_a_compressed_archive_is_refused_with_a_remedy(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x1f\x8b")
    with pytest.raises(WindmillError, match=r"compressed as a whole.*Remedy: unpack that one layer"):
        listed(tmp_path / name, tmp_path)


def test_a_compressed_archive_under_a_plain_name_is_bad(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", {"a.jpg": JPEG}, mode="w:gz")
    [bad] = listed(path, tmp_path)
    assert isinstance(bad, BadEntry)
    assert "compressed as a whole (gzip)" in bad.reason


def test_of_a_cut_archive_what_is_whole_is_registered(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", {f"{number}.jpg": JPEG for number in range(9)})
    os.truncate(path, 3 * 1024 + 100)
    found = listed(path, tmp_path)
    assert [type(entry) for entry in found] == [FoundImage, FoundImage, FoundImage, BadEntry]


def test_a_member_that_a_file_beside_the_archive_hides_is_bad(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", {"a.jpg": JPEG})
    (tmp_path / "a.tar#a.jpg").write_bytes(JPEG)
    [bad] = listed(path, tmp_path)
    assert bad == BadEntry(f"{path}#a.jpg", "is also the name of a file beside the archive, which workers would read")


def test_an_archive_outside_the_root_is_bad(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    path = tar_of(tmp_path / "a.tar", {"a.jpg": JPEG})
    assert listed(path, root) == [BadEntry(str(path), f"lies outside IMAGE_ROOT={root}")]


def test_a_name_that_is_not_unicode_is_bad(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        info = tarfile.TarInfo("\udcff.jpg")
        info.size = len(JPEG)
        archive.addfile(info, io.BytesIO(JPEG))
    assert listed(path, tmp_path) == [BadEntry(f"{path}#\\udcff.jpg", "its name holds NUL or is not valid UTF-8")]
