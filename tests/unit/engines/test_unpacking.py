import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from windmill.core.errors import WindmillError
from windmill.engines.http.unpacking import is_archive, unpack

MOST = 1_000_000


def tar_of(files: dict[str, bytes], mode: str = "w") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


def tar_with(member: tarfile.TarInfo, pax: dict[str, str] | None = None) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT, pax_headers=pax) as archive:
        archive.addfile(member)
    return made.getvalue()


def zip_of(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def link() -> tarfile.TarInfo:
    made = tarfile.TarInfo("link")
    made.type, made.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return made


def zip_link() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = 0xA1FF << 16
        archive.writestr(info, "/etc/passwd")
    return made.getvalue()


def unpacked(data: bytes, folder: Path, most: int = MOST) -> dict[str, bytes]:
    archive, out = folder / "archive", folder / "out"
    archive.write_bytes(data)
    out.mkdir()
    assert is_archive(archive)
    unpack(archive, out, most)
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


FILES = {"frame_1.png": b"one", "sub/frame_2.png": b"two" * 1_000}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_of_any_compression_is_unpacked(mode: str, tmp_path: Path) -> None:
    assert unpacked(tar_of(FILES, mode), tmp_path) == FILES


def test_a_zip_is_unpacked(tmp_path: Path) -> None:
    assert unpacked(zip_of(FILES), tmp_path) == FILES


HOSTILE = {
    "a name that climbs": zip_of({"../up": b"x"}),
    "an absolute name": tar_of({"/etc/cron.d/x": b"x"}),
    "a name for Windows": zip_of({"a\\..\\b": b"x"}),
    "a link": tar_with(link()),
    "a link in a zip": zip_link(),
    "a bomb": zip_of({"big": b"\0" * (MOST + 1)}),
    "a bomb of many": tar_of({str(number): b"\0" * 100_000 for number in range(11)}, "w:gz"),
    "half a zip": zip_of(FILES)[:-30],
    "half a tar": tar_of(FILES, "w:gz")[:100],
    "no tar behind gzip": gzip.compress(b"not a tar" * 100),
    "a header that asks for all memory": gzip.compress(tar_with(tarfile.TarInfo("a"), {"comment": "x" * 8_000_000})),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_archive_is_refused_and_writes_nothing_elsewhere(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(WindmillError) as raised:
        unpacked(data, tmp_path)
    assert raised.value.code == "BAD_RESPONSE"
    assert {path.name for path in tmp_path.iterdir()} == {"archive", "out"}


def test_a_name_that_comes_twice_does_not_overwrite(tmp_path: Path) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("a"))
    with pytest.raises(WindmillError, match="twice"):
        unpacked(made.getvalue(), tmp_path)
