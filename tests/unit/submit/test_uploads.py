"""Images that are sent in: kept once, by their bytes, and never by the name that came with them."""

from io import BytesIO
from pathlib import Path

import pytest

from windmill.submit.entry_types import BadEntry, FoundImage
from windmill.submit.uploads import UploadFolder, shown_name

JPEG = b"\xff\xd8\xff\xe0" + b"a" * 5_000


def uploads(root: Path, most: int = 10_000) -> UploadFolder:
    return UploadFolder(root / "sent", root, most)


def files_of(root: Path) -> list[bytes]:
    return [file.read_bytes() for file in root.rglob("*") if file.is_file()]


async def test_the_same_bytes_are_one_file_whatever_they_are_called(tmp_path: Path) -> None:
    folder = uploads(tmp_path)
    one, two = [await folder.keep(BytesIO(JPEG), name) for name in ("a.jpg", "../../b.html")]
    assert isinstance(one, FoundImage)
    assert isinstance(two, FoundImage)
    assert (one.image_filename, two.image_filename, one.image_path) == ("a.jpg", "b.html", two.image_path)
    assert one.image_path
    assert one.image_path.endswith(".jpeg")
    assert files_of(tmp_path) == [JPEG]


@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "is empty"), (b"GIF, no", "does not begin"), (JPEG + b"x" * 5_000, "is larger than")]
)
async def test_what_is_no_image_or_too_large_leaves_nothing_behind(data: bytes, reason: str, tmp_path: Path) -> None:
    refused = await uploads(tmp_path).keep(BytesIO(data), "a.jpg")
    assert isinstance(refused, BadEntry)
    assert reason in refused.reason
    assert files_of(tmp_path) == []


def test_a_folder_that_workers_do_not_read_is_told(tmp_path: Path) -> None:
    trouble = UploadFolder(tmp_path / "sent", tmp_path / "pictures", 10_000).trouble()
    assert "must lie below IMAGE_ROOT" in str(trouble)
    assert uploads(tmp_path).trouble() is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [("C:\\x\\a.jpg", "a.jpg"), ("", "image"), ("\0\n", "image"), ("x" * 999, "x" * 255), ("\ud800.jpg", ".jpg")],
)
def test_a_name_is_made_fit_to_be_stored(name: str, shown: str) -> None:
    assert shown_name(name) == shown
