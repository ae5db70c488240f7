"""Listing images: each bad entry of a folder or a list is reported and skipped."""

import io
import json
import os
from collections.abc import Iterable
from pathlib import Path
from unittest.mock import ANY

import orjson
import pytest

from windmill.core.errors import WindmillError
from windmill.submit.image_listing import BadEntry, Entry, FoundImage, IgnoredFile, ImageAccess, list_entries

JPEG = b"\xff\xd8\xff\xe0 picture"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with two pictures and a note, the images' root."""
    folder = tmp_path / "pictures"
    (folder / "inner" / "deep").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(JPEG)
    (folder / "inner" / "deep" / "B.PNG").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "notes.md").write_text("no picture")
    return folder


def listed(argument: object, root: Path, stdin: str = "", allowed: Iterable[str] = ()) -> list[Entry]:
    return list(list_entries(str(argument), io.StringIO(stdin), ImageAccess(root, frozenset(allowed))))


def good(found: Iterable[Entry]) -> list[str]:
    return sorted(str(entry.image_path or entry.image_url) for entry in found if isinstance(entry, FoundImage))


def reasons(found: Iterable[Entry]) -> dict[str, str]:
    return {Path(entry.name).name: entry.reason for entry in found if isinstance(entry, BadEntry)}


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


def test_a_list_has_paths_beside_it_absolute_paths_urls_and_comments(root: Path) -> None:
    lines = ["# my images", "", f"  {root}/a.jpg  ", "inner/deep/B.PNG", "HTTPS://example.com/c.jpg?x=1", "missing.jpg"]
    (root / "list.txt").write_text("\ufeff" + "\r\n".join(lines))
    found = listed(root / "list.txt", root)
    assert good(found) == [str(root / "a.jpg"), str(root / "inner/deep/B.PNG"), "HTTPS://example.com/c.jpg?x=1"]
    assert reasons(found) == {"missing.jpg": "No such file or directory"}


def test_a_list_with_a_byte_order_mark_keeps_its_first_line(root: Path) -> None:
    (root / "list.txt").write_text("\ufeffa.jpg\n")
    assert len(good(listed(root / "list.txt", root))) == 1


def test_a_list_on_standard_input_is_read(root: Path) -> None:
    assert good(listed("-", root, f"{root}/a.jpg\nhttp://example.com/x\n")) == [
        str(root / "a.jpg"),
        "http://example.com/x",
    ]


def test_binary_standard_input_is_a_usage_error(root: Path) -> None:
    with pytest.raises(WindmillError, match="- cannot be read"):
        list(list_entries("-", io.TextIOWrapper(io.BytesIO(b"\xff\xfe\n"), encoding="utf-8"), ImageAccess(root)))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://example.com/a/b.jpg?x=1", FoundImage("b.jpg", None, "http://example.com/a/b.jpg?x=1")),
        ("https://example.com/", FoundImage("https://example.com/", None, "https://example.com/")),
        ("http://", BadEntry("http://", "is not an http, https or s3 URL")),
        ("http:///a.jpg", BadEntry("http:///a.jpg", "is not an http, https or s3 URL")),
        ("http://[::1/a.jpg", BadEntry("http://[::1/a.jpg", "Invalid IPv6 URL")),
        ("http://x:99999/a.jpg", BadEntry("http://x:99999/a.jpg", "Port out of range 0-65535")),
        ("ftp://x/y.jpg", BadEntry("ftp://x/y.jpg", "is not an http, https or s3 URL")),
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


def test_a_csv_table_gives_names_groups_and_sizes(root: Path) -> None:
    (root / "t.csv").write_text(
        "\ufeffimage_path,image_url,image_filename,group,width,height\r\n"
        "a.jpg,,first,holidays,640,480\r\n"
        ",http://example.com/x.jpg,,,wide,-1\r\n"
        "missing.jpg,http://example.com/y.jpg,,,,\r\n"
        "missing.jpg,,,,,\r\n"
        ",,,,,\r\n"
        "a.jpg\r\n"
        "a.jpg,,,,,,too,many\r\n",
        encoding="utf-8",
    )
    found = listed(root / "t.csv", root)
    assert found[0] == FoundImage("first", str(root / "a.jpg"), None, "holidays", 640, 480)
    assert found[1] == FoundImage("x.jpg", None, "http://example.com/x.jpg")
    assert found[2] == FoundImage("y.jpg", None, "http://example.com/y.jpg")
    assert [entry.name.split(":")[0] for entry in found if isinstance(entry, BadEntry)] == [
        "t.csv, line 5",
        "t.csv, line 6",
    ]
    assert len(good(found)) == 5


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_csv_table_may_be_separated_by_semicolons_or_tabs(root: Path, separator: str) -> None:
    rows = [("image_path", '"image_url"', "group"), ("a.jpg", "", "one, two"), ("", "http://example.com/b,c.jpg", "")]
    (root / "t.csv").write_text("\n".join(separator.join(row) for row in rows), encoding="utf-8-sig")
    assert listed(root / "t.csv", root) == [
        FoundImage("a.jpg", str(root / "a.jpg"), None, "one, two"),
        FoundImage("b,c.jpg", None, "http://example.com/b,c.jpg"),
    ]


def test_a_comma_stays_the_separator_where_another_mark_stands_in_the_header(root: Path) -> None:
    (root / "t.csv").write_text("image_path,width;height\na.jpg,1;2\n")
    assert good(listed(root / "t.csv", root)) == [str(root / "a.jpg")]


def test_a_csv_row_without_a_path_or_url_is_reported(root: Path) -> None:
    (root / "t.csv").write_text("path,url,group\n,,holidays\n")
    assert listed(root / "t.csv", root) == [BadEntry("t.csv, line 2", "has neither a path nor a URL")]


def test_a_url_in_a_column_of_paths_is_taken_for_one(root: Path) -> None:
    (root / "t.csv").write_text("file\nhttp://example.com/a.jpg\nftp://x/y.jpg\n")
    found = listed(root / "t.csv", root)
    assert good(found) == ["http://example.com/a.jpg"]
    assert found[1] == BadEntry("t.csv, line 3: ftp://x/y.jpg", "is not an http, https or s3 URL")


@pytest.mark.parametrize("column", ["path", "file", "file_name", "filename", "image_path"])
def test_a_csv_column_with_paths_may_have_any_usual_name(root: Path, column: str) -> None:
    (root / "t.csv").write_text(f"id,{column}\n1,a.jpg\n")
    assert good(listed(root / "t.csv", root)) == [str(root / "a.jpg")]


@pytest.mark.parametrize("content", ["", "\n", "id,name\n1,a\n", "a.jpg\nb.jpg\n"])
def test_a_csv_without_a_path_column_is_a_usage_error(root: Path, content: str) -> None:
    (root / "t.csv").write_text(content)
    with pytest.raises(WindmillError, match="has no column with a path or URL"):
        listed(root / "t.csv", root)


def test_an_unterminated_csv_field_is_a_usage_error(root: Path) -> None:
    (root / "t.csv").write_text('image_path\n"' + "x" * 200_000)
    with pytest.raises(WindmillError, match=r"t\.csv cannot be read: field larger"):
        listed(root / "t.csv", root)


def test_a_csv_row_whose_path_cannot_be_one_falls_back_to_its_url(root: Path) -> None:
    (root / "t.csv").write_text(f"image_path,image_url\n{'x' * 300},http://example.com/a.jpg\n")
    assert good(listed(root / "t.csv", root)) == ["http://example.com/a.jpg"]


def test_csv_texts_that_postgresql_would_refuse_are_skipped(root: Path) -> None:
    (root / "t.csv").write_text("image_path,group\na.jpg,nul\0\n\0,x\na.jpg,fine\n")
    found = listed(root / "t.csv", root)
    assert len(good(found)) == 1
    assert len(reasons(found)) == 2


def test_a_coco_document_gives_its_images(root: Path) -> None:
    images = [
        {"id": 1, "file_name": "a.jpg", "width": 640, "height": 480, "coco_url": "http://example.com/a.jpg"},
        {"id": 2, "file_name": "elsewhere.jpg", "coco_url": "http://example.com/b.jpg", "width": 2**40},
        {"id": 3, "file_name": "missing.jpg"},
        {"id": 4},
        "text",
        None,
        {"file_name": {"deep": []}, "width": []},
        {"file_name": "\ud800.jpg"},
    ]

    (root / "coco.json").write_text(json.dumps({"images": images, "annotations": []}))
    found = listed(root / "coco.json", root)
    assert found[:2] == [
        FoundImage("a.jpg", str(root / "a.jpg"), None, None, 640, 480),
        FoundImage("b.jpg", None, "http://example.com/b.jpg"),
    ]
    bad = [entry for entry in found if isinstance(entry, BadEntry)]
    assert len(bad) == 6
    orjson.dumps([entry.name for entry in bad])
    assert bad[0].name.startswith("coco.json, image 2")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "{}", '{"images": 5}', '{"images": null}', "\x00", "[" * 100_000]
)
def test_an_invalid_coco_document_is_a_usage_error(root: Path, content: str) -> None:
    (root / "coco.json").write_text(content)
    with pytest.raises(WindmillError, match=r"coco\.json is not a COCO document"):
        listed(root / "coco.json", root)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
@pytest.mark.parametrize("name", ["list.txt", "t.csv"])
def test_an_unreadable_list_is_a_usage_error(root: Path, name: str) -> None:
    (root / name).touch(0)
    with pytest.raises(WindmillError, match="cannot be read"):
        listed(root / name, root)


def test_a_folder_is_listed_lazily(root: Path) -> None:
    found = list_entries(str(root), io.StringIO(), ImageAccess(root))
    assert isinstance(next(found), Entry)
