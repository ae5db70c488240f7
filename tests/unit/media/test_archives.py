"""Members of archives are read where they lie; what an archive claims is not believed."""

import io
import os
import random
import struct
import tarfile
import threading
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.unit.archives import JPEG, header, tar_of, zip_of
from windmill.core.errors import WindmillError
from windmill.media.archive import ArchiveReader, BadArchive, Member, Refused
from windmill.media.archive.members import MemberTable, refusal
from windmill.media.image.file_reader import FileReader

MOST = 1_000_000
LONG = "deep/" * 60 + "picture of a long name.jpg"
NAMES = {"a.jpg": JPEG, "b/ü #2.jpg": JPEG * 100, LONG: JPEG * 3, "empty.jpg": b""}


def read(path: Path, member: str, most: int = MOST) -> bytes:
    return FileReader(path.parent, most).read(f"{path}#{member}")


def refused(path: Path, member: str, most: int = MOST) -> tuple[str, str]:
    with pytest.raises(WindmillError) as error:
        read(path, member, most)
    return error.value.code, error.value.retry


def found(path: Path) -> list[Member | Refused]:
    with path.open("rb") as file:
        return list(ArchiveReader().members(str(path), file.fileno()))


Maker = Callable[[Path], Path]
MAKERS: dict[str, Maker] = {
    "pax": lambda folder: tar_of(folder / "a.tar", NAMES, tarfile.PAX_FORMAT),
    "gnu": lambda folder: tar_of(folder / "a.tar", NAMES, tarfile.GNU_FORMAT),
    "deflated": lambda folder: zip_of(folder / "a.ZIP", NAMES),
    "stored": lambda folder: zip_of(folder / "a.zip", NAMES, zipfile.ZIP_STORED),
}


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS.keys())
def test_each_member_is_read_by_its_name(tmp_path: Path, maker: Maker) -> None:
    path = maker(tmp_path)
    assert [member.name for member in found(path)] == list(NAMES)
    for name, data in NAMES.items():
        assert read(path, name) == data
    assert refused(path, "none.jpg") == ("IMAGE_NOT_FOUND", "never")


def test_an_old_tar_file_with_a_split_name_is_read(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", {"folder/" * 15 + "a.jpg": JPEG}, tarfile.USTAR_FORMAT)
    assert read(path, "folder/" * 15 + "a.jpg") == JPEG


def test_a_name_with_dot_and_slash_before_it_is_the_name_alone(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", {"./a.jpg": JPEG, "./": b""})
    assert [member.name for member in found(path)] == ["a.jpg"]
    assert read(path, "a.jpg") == JPEG


def test_of_two_members_of_one_name_the_last_one_counts(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", {"a.jpg": b"old"})
    tar_of(path, {"a.jpg": JPEG}, mode="a")
    assert read(path, "a.jpg") == JPEG


def test_a_zip_file_behind_a_program_and_before_a_comment_is_read(tmp_path: Path) -> None:
    plain = zip_of(tmp_path / "plain.zip", NAMES)
    path = tmp_path / "a.zip"
    path.write_bytes(b"#!/bin/sh\n" * 50 + plain.read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"made by a test"
    for name, data in NAMES.items():
        assert read(path, name) == data


def test_a_zip_file_with_wide_sizes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive, archive.open("a.jpg", "w", force_zip64=True) as member:
        member.write(JPEG)
    assert read(path, "a.jpg") == JPEG


def test_a_file_whose_own_name_looks_like_a_member_goes_before(tmp_path: Path) -> None:
    tar_of(tmp_path / "a.tar", {"b.jpg": JPEG})
    (tmp_path / "a.tar#b.jpg").write_bytes(b"a file of that name")
    (tmp_path / "x.tar#y").mkdir()
    (tmp_path / "x.tar#y" / "c#d.jpg").write_bytes(b"in a folder of that name")
    folder = FileReader(tmp_path, MOST)
    assert folder.read(f"{tmp_path}/a.tar#b.jpg") == b"a file of that name"
    assert folder.read("x.tar#y/c#d.jpg") == b"in a folder of that name"
    inner = tar_of(tmp_path / "x.tar#y" / "z.tar", {"e.jpg": JPEG})
    assert folder.read(f"{inner}#e.jpg") == JPEG


def test_an_archive_outside_the_root_is_forbidden(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "kept.jpg").touch()
    path = tar_of(tmp_path / "a.tar", {"a.jpg": JPEG})
    (root / "link.tar").symlink_to(path)
    for location in (f"{path}#a.jpg", "../a.tar#a.jpg", "link.tar#a.jpg"):
        with pytest.raises(WindmillError) as error:
            FileReader(root, MOST).read(location)
        assert error.value.code == "IMAGE_FORBIDDEN"


def test_a_missing_archive_is_not_found_and_an_empty_root_is_waited_for(tmp_path: Path) -> None:
    with pytest.raises(WindmillError) as error:
        FileReader(tmp_path, MOST).read("gone.tar#a.jpg")
    assert error.value.retry == "pause"
    (tmp_path / "other.jpg").touch()
    assert refused(tmp_path / "gone.tar", "a.jpg") == ("IMAGE_NOT_FOUND", "never")


def test_an_archive_that_was_exchanged_is_read_anew(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", {"a.jpg": JPEG, "b.jpg": b"b"})
    folder = FileReader(tmp_path, MOST)
    assert folder.read("a.tar#b.jpg") == b"b"
    other = tar_of(tmp_path / "new", {"c.jpg": JPEG * 2, "a.jpg": b"other"})
    other.replace(path)
    assert folder.read("a.tar#a.jpg") == b"other"


@pytest.mark.parametrize("name", ["/etc/passwd", "../a.jpg", "a/../../b.jpg", "C:/a.jpg", "..\\a.jpg", "", "\\a.jpg"])
def test_a_name_that_leads_out_is_refused(name: str, tmp_path: Path) -> None:
    assert refusal(name)
    path = tar_of(tmp_path / "a.tar", {"a.jpg": JPEG, name or "x": JPEG})
    assert not name or refused(path, name)[0] == "IMAGE_FORBIDDEN"
    assert read(path, "a.jpg") == JPEG


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_a_tar_file_are_refused(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("a.jpg")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
        info = tarfile.TarInfo("b.jpg")
        info.size = len(JPEG)
        archive.addfile(info, io.BytesIO(JPEG))
    assert refused(path, "a.jpg") == ("IMAGE_FORBIDDEN", "never")
    assert read(path, "b.jpg") == JPEG


def test_links_and_secrets_in_a_zip_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("link.jpg")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
        archive.writestr("other.jpg", JPEG, compress_type=zipfile.ZIP_BZIP2)
        archive.writestr("a.jpg", JPEG)
    encrypted = bytearray(path.read_bytes())
    where = encrypted.rindex(b"PK\1\2")
    encrypted[where + 8] |= 1
    assert refused(path, "link.jpg")[0] == refused(path, "other.jpg")[0] == "IMAGE_FORBIDDEN"
    assert read(path, "a.jpg") == JPEG
    path.write_bytes(encrypted)
    assert refused(path, "a.jpg")[0] == "IMAGE_FORBIDDEN"


def test_a_member_over_the_limit_is_too_large(tmp_path: Path) -> None:
    for path in (tar_of(tmp_path / "a.tar", {"a.jpg": JPEG * 10}), zip_of(tmp_path / "a.zip", {"a.jpg": JPEG * 10})):
        assert refused(path, "a.jpg", most=50) == ("IMAGE_TOO_LARGE", "never")


def test_a_zip_bomb_that_says_it_is_small_is_unfolded_no_further_than_the_limit(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"a.jpg": bytes(100_000_000)})
    data = bytearray(path.read_bytes())
    struct.pack_into("<L", data, data.rindex(b"PK\1\2") + 24, 100)
    path.write_bytes(data)
    tracemalloc.start()
    assert refused(path, "a.jpg") == ("IMAGE_TOO_LARGE", "never")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * MOST


def test_damaged_bytes_of_a_member_are_noticed(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"a.jpg": JPEG * 100, "b.jpg": JPEG}, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    assert refused(path, "a.jpg") == ("IMAGE_UNREADABLE", "never")
    assert read(path, "b.jpg") == JPEG


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not an archive",
        random.Random(1).randbytes(4096),
        header(size=b"77777777777"),
        header(size=b"\x80" + b"\xff" * 11),
        header(size=b"\xff" * 12),
        header(size=b"-0000000001"),
        header(kind=b"L", size=b"77777777777"),
        header(kind=b"x", size=b"00000000014") + b"4294967295 ab".ljust(512, b"\0") + header(),
        header(kind=b"x", size=b"00000000014") + b"0 path=a\n\n\n".ljust(512, b"\0") + header(),
        header(kind=b"x", size=b"00000001000") + b"1" * 512 + header(),
        header(kind=b"x", size=b"00000000000") * 20,
        header(kind=b"S")[:482] + b"\1" + header(kind=b"S")[483:],
    ],
)
@pytest.mark.parametrize("name", ["a.tar", "a.zip"])
def test_what_is_no_archive_is_told_as_that(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert refused(path, "a.jpg")[0] in ("IMAGE_UNREADABLE", "IMAGE_NOT_FOUND")


@pytest.mark.parametrize("maker", [MAKERS["pax"], MAKERS["gnu"], MAKERS["deflated"], MAKERS["stored"]])
def test_no_damage_of_an_archive_does_more_than_refuse(tmp_path: Path, maker: Maker) -> None:
    whole = maker(tmp_path).read_bytes()
    dice = random.Random(7)
    path = tmp_path / ("b.zip" if whole.startswith(b"PK") else "b.tar")
    for _ in range(300):
        data = bytearray(whole[: dice.choice([len(whole), dice.randrange(len(whole))])])
        for _ in range(dice.randrange(1, 20)):
            if data:
                data[dice.randrange(len(data))] = dice.randrange(256)
        path.write_bytes(data)
        for name, expected in NAMES.items():
            with suppress(WindmillError):
                assert read(path, name) == expected or path.suffix == ".tar"  # which has no checksum of bytes


def test_what_is_before_the_damage_of_a_cut_archive_can_be_read(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", {f"{number}.jpg": JPEG for number in range(10)})
    os.truncate(path, 5 * 1024 + 100)
    with path.open("rb") as file, pytest.raises(BadArchive, match="cut short"):
        list(ArchiveReader().members(str(path), file.fileno()))
    assert read(path, "0.jpg") == JPEG


def test_a_compressed_tar_file_is_refused_with_a_remedy(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", {"a.jpg": JPEG}, mode="w:gz")
    with pytest.raises(WindmillError, match=r"compressed as a whole \(gzip\).*unpack"):
        read(path, "a.jpg")


def test_tables_of_many_archives_are_kept_up_to_a_bound(tmp_path: Path) -> None:
    archives = ArchiveReader(max_table_bytes=3 * 512)
    for number in range(10):
        path = tar_of(tmp_path / f"{number}.tar", {"a.jpg": JPEG})
        with path.open("rb") as file:
            assert archives.read(str(path), file.fileno(), "a.jpg", MOST) == JPEG
    assert len(archives._tables) == 3


@pytest.mark.slow(reason="9 s: a million members")
def test_a_million_members_take_sixteen_megabytes_and_are_found() -> None:
    def members() -> Iterable[Member | Refused]:
        for number in range(1_000_000):
            yield Member(f"{number}.jpg", number * 1024, 0, 0, 0)

    table = MemberTable.of(members())
    assert table.size <= 17_000_000
    for number in range(0, 1_000_000, 99_991):
        assert number * 1024 in table.places(f"{number}.jpg")


def test_several_threads_read_one_archive(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", {f"{number}.jpg": JPEG + b"%d" % number for number in range(200)})
    folder = FileReader(tmp_path, MOST)
    wrong: list[int] = []

    def reads(first: int) -> None:
        wrong.extend(n for n in range(first, 200, 4) if folder.read(f"{path}#{n}.jpg") != JPEG + b"%d" % n)

    threads = [threading.Thread(target=reads, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
