"""Listing images: each bad entry of a folder is reported and skipped, and which URLs are taken."""

import io
import os
from pathlib import Path
from unittest.mock import ANY

import orjson
import pytest

from tests.unit.submit.listed_images import JPEG, good, listed, reasons
from windmill.core.errors import WindmillError
from windmill.kernels.net.store_urls import unknown_scheme
from windmill.submit.image_listing import BadEntry, Entry, FoundImage, IgnoredFile, ImageAccess, list_entries


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with two pictures and a note, the images' root."""
    folder = tmp_path / "pictures"
    (folder / "inner" / "deep").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(JPEG)
    (folder / "inner" / "deep" / "B.PNG").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "notes.md").write_text("no picture")
    return folder


def test_a_folder_is_searched_recursively_and_other_files_are_counted_by_suffix(root: Path) -> None:
    for name in ("inner/c.HEIC", "README", "scan.000001", "scan.000002", "\udcff.raw\udcff"):
        (root / name).touch()
    found = listed(root, root)
    assert good(found) == [str(root / "a.jpg"), str(root / "inner" / "deep" / "B.PNG")]
    assert reasons(found) == {}
    kinds = sorted(entry.suffix for entry in found if isinstance(entry, IgnoredFile))
    assert kinds == ["", "", "", ".heic", ".md", ".raw\\udcff"]


def test_a_folder_without_any_image_is_reported(tmp_path: Path) -> None:
    told = BadEntry(str(tmp_path), "no image found in it")
    assert listed(tmp_path, tmp_path) == [told]
    (tmp_path / "a.heic").touch()
    assert listed(tmp_path, tmp_path) == [IgnoredFile(".heic"), told]


@pytest.mark.parametrize(
    ("name", "content"), [("t.csv", "path\n"), ("t.txt", "# none\n"), ("t.json", '{"images": []}')]
)
def test_a_list_without_any_image_is_reported(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert listed(tmp_path / name, tmp_path) == [BadEntry(str(tmp_path / name), "no image found in it")]


def test_a_source_with_a_bad_entry_is_not_also_reported_as_empty(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    assert listed(tmp_path, tmp_path) == [BadEntry(str(tmp_path / "a.jpg"), "is empty")]


def test_the_traps_of_a_folder_are_named_and_skipped(root: Path) -> None:
    (root / "circle").symlink_to(".")
    (root / "away").symlink_to(root.parent)
    (root / "loop.jpg").symlink_to("loop.jpg")
    (root / "dangling.jpg").symlink_to("nothing.jpg")
    (root / "empty.jpg").touch()
    (root / "text.jpg").write_text("hello")
    (root / "folder.jpg").mkdir()
    (root / "linked.jpg").symlink_to("folder.jpg")
    (root.parent / "outside.jpg").write_bytes(JPEG)
    (root / "outside.jpg").symlink_to("../outside.jpg")
    os.mkfifo(root / "pipe.jpg")
    found = listed(root, root)
    assert len(good(found)) == 2
    told = reasons(found)
    assert "loop" in told.pop("loop.jpg")
    assert told == {
        "dangling.jpg": "No such file or directory",
        "empty.jpg": "is empty",
        "text.jpg": "does not begin as an image",
        "circle": "is a link to a folder; name the folder itself",
        "away": "is a link to a folder; name the folder itself",
        "linked.jpg": "is a link to a folder; name the folder itself",
        "outside.jpg": f"lies outside IMAGE_ROOT={root}",
        "pipe.jpg": "is not a file",
    }


def test_a_link_to_a_folder_that_is_named_itself_is_searched(root: Path) -> None:
    (root.parent / "link").symlink_to(root)
    assert len(good(listed(root.parent / "link", root))) == 2


def test_names_that_are_not_utf_8_are_skipped_and_can_be_printed(root: Path) -> None:
    for name in (b"bad-\xff.jpg", b"worse-\xff.jpg"):
        (Path(os.fsdecode(os.fsencode(root) + b"/" + name))).write_bytes(JPEG if name.startswith(b"bad") else b"text")
    bad = [entry for entry in listed(root, root) if isinstance(entry, BadEntry)]
    assert sorted(entry.reason for entry in bad) == [
        "does not begin as an image",
        "its name holds NUL or is not valid UTF-8",
    ]
    assert b"\\\\udcff" in orjson.dumps([entry.name for entry in bad])


def test_a_reason_that_is_not_utf_8_can_be_printed(root: Path) -> None:
    [bad] = listed(root / "a.jpg", Path("/pictures-\udcff"))
    assert bad == BadEntry(str(root / "a.jpg"), "lies outside IMAGE_ROOT=/pictures-\\udcff")


def test_an_image_is_registered_by_where_it_really_lies(root: Path) -> None:
    (root / "link.jpg").symlink_to("a.jpg")
    assert listed(root / "link.jpg", root) == [FoundImage("a.jpg", str(root / "a.jpg"), None)]


@pytest.mark.parametrize("argument", ["nothing", "nothing.csv", "x" * 300, "nul\0"])
def test_a_missing_path_is_reported_before_anything_is_listed(root: Path, argument: str) -> None:
    with pytest.raises(WindmillError, match="there is no file or folder") as refused:
        list_entries(str(root / argument), io.StringIO(), ImageAccess(root))
    assert refused.value.code == "NOT_FOUND"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://example.com/a/b.jpg?x=1", FoundImage("b.jpg", None, "http://example.com/a/b.jpg?x=1")),
        ("https://example.com/", FoundImage("https://example.com/", None, "https://example.com/")),
        ("http://", BadEntry("http://", "names no host")),
        ("http:///a.jpg", BadEntry("http:///a.jpg", "names no host")),
        ("http://[::1/a.jpg", BadEntry("http://[::1/a.jpg", "Invalid IPv6 URL")),
        ("http://x:99999/a.jpg", BadEntry("http://x:99999/a.jpg", "Port out of range 0-65535")),
        ("ftp://x/y.jpg", BadEntry("ftp://x/y.jpg", unknown_scheme("ftp://"))),
        ("file:///x/y.jpg", BadEntry("file:///x/y.jpg", unknown_scheme("file://"))),
        ("http://\udcff/", BadEntry("http://\\udcff/", ANY)),
        ("http://x/\udcff", BadEntry("http://x/\\udcff", "its name holds NUL or is not valid UTF-8")),
        ("http://x/\0", BadEntry("http://x/\0", "its name holds NUL or is not valid UTF-8")),
    ],
)
def test_a_url_is_taken_as_it_is(root: Path, url: str, expected: Entry) -> None:
    assert listed(url, root) == [expected]


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("LOCALHOST:8080", "localhost"),
        ("user@10.1.2.3:80", "10.1.2.3"),
        ("192.168.1.1", "192.168.1.1"),
        ("169.254.169.254", "169.254.169.254"),
        ("127.1", "127.1"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("[fc00::1]", "fc00::1"),
    ],
)
def test_a_url_no_worker_would_fetch_is_bad_unless_its_host_is_allowed(root: Path, host: str, named: str) -> None:
    url = f"http://{host}/a.jpg"
    for argument, stdin in ((url, ""), ("-", f"{url}\n")):
        [bad] = listed(argument, root, stdin)
        assert isinstance(bad, BadEntry)
        assert bad.reason == f"{named} is not a public address; workers fetch from it if IMAGE_URL_ALLOW names it"
    assert listed(url, root, allowed=[named]) == [FoundImage("a.jpg", None, url)]


def test_localhost_is_allowed_by_its_address_too(root: Path) -> None:
    assert good(listed("http://localhost/a.jpg", root, allowed=["127.0.0.1"])) == ["http://localhost/a.jpg"]


@pytest.mark.parametrize("host", ["93.184.215.14", "[2606:4700::1111]", "nas.local", "no-such-host.invalid"])
def test_a_public_address_is_taken_and_any_name_even_if_it_leads_nowhere(root: Path, host: str) -> None:
    assert good(listed(f"http://{host}/a.jpg", root)) == [f"http://{host}/a.jpg"]


def test_what_would_not_fit_in_a_message_is_not_registered(root: Path) -> None:
    (found,) = listed("http://example.com/a?token=" + "x" * 3600, root)
    assert isinstance(found, FoundImage)
    (bad,) = listed("http://example.com/a?token=" + "x" * 4000, root)
    assert isinstance(bad, BadEntry)
    assert bad.reason == "is too long a name for a message"


def test_a_folder_is_listed_lazily(root: Path) -> None:
    found = list_entries(str(root), io.StringIO(), ImageAccess(root))
    assert isinstance(next(found), Entry)
