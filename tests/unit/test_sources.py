"""Where images are listed: every trap of a folder or a list is named and skipped."""

import io
import json
import os
from collections.abc import Iterable
from pathlib import Path

import orjson
import pytest

from producers.sources import Bad, Entry, Found, entries
from windmill.errors import WindmillError

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


def listed(argument: object, root: Path, stdin: str = "") -> list[Entry]:
    return list(entries(str(argument), io.StringIO(stdin), root=root))


def good(found: Iterable[Entry]) -> list[str]:
    return sorted(str(entry.image_path or entry.image_url) for entry in found if isinstance(entry, Found))


def reasons(found: Iterable[Entry]) -> dict[str, str]:
    return {Path(entry.name).name: entry.reason for entry in found if isinstance(entry, Bad)}


def test_a_folder_is_searched_with_all_below_it_and_other_files_are_passed_over(root: Path) -> None:
    found = listed(root, root)
    assert good(found) == [str(root / "a.jpg"), str(root / "inner" / "deep" / "B.PNG")]
    assert reasons(found) == {}


def test_an_empty_folder_has_no_images(tmp_path: Path) -> None:
    assert listed(tmp_path, tmp_path) == []


def test_the_traps_of_a_folder_are_named_and_skipped(root: Path) -> None:
    (root / "circle").symlink_to(".")
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
        "linked.jpg": "is not a file",
        "outside.jpg": f"lies outside IMAGE_ROOT={root}",
        "pipe.jpg": "is not a file",
    }


def test_names_that_are_not_utf_8_are_skipped_and_can_be_told(root: Path) -> None:
    for name in (b"bad-\xff.jpg", b"worse-\xff.jpg"):
        (Path(os.fsdecode(os.fsencode(root) + b"/" + name))).write_bytes(JPEG if name.startswith(b"bad") else b"text")
    bad = [entry for entry in listed(root, root) if isinstance(entry, Bad)]
    assert sorted(entry.reason for entry in bad) == [
        "does not begin as an image",
        "its name holds NUL or is not valid UTF-8",
    ]
    assert b"\\\\udcff" in orjson.dumps([entry.name for entry in bad])


def test_an_image_is_registered_by_where_it_really_lies(root: Path) -> None:
    (root / "link.jpg").symlink_to("a.jpg")
    assert listed(root / "link.jpg", root) == [Found("a.jpg", str(root / "a.jpg"), None)]


@pytest.mark.parametrize("argument", ["nothing", "nothing.csv", "x" * 300, "nul\0"])
def test_a_path_that_is_not_there_is_told_before_anything_is_listed(root: Path, argument: str) -> None:
    with pytest.raises(WindmillError, match="there is no file or folder") as refused:
        entries(str(root / argument), io.StringIO(), root=root)
    assert refused.value.code == "CONFIG_INVALID"


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


def test_standard_input_that_is_no_text_is_a_mistake_and_not_a_crash(root: Path) -> None:
    with pytest.raises(WindmillError, match="- cannot be read"):
        list(entries("-", io.TextIOWrapper(io.BytesIO(b"\xff\xfe\n"), encoding="utf-8"), root=root))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://example.com/a/b.jpg?x=1", Found("b.jpg", None, "http://example.com/a/b.jpg?x=1")),
        ("https://example.com/", Found("https://example.com/", None, "https://example.com/")),
        ("http://", Bad("http://", "is not an http or https URL")),
        ("http:///a.jpg", Bad("http:///a.jpg", "is not an http or https URL")),
        ("http://[::1/a.jpg", Bad("http://[::1/a.jpg", "Invalid IPv6 URL")),
        ("http://x/\udcff", Bad("http://x/\\udcff", "its name holds NUL or is not valid UTF-8")),
        ("http://x/\0", Bad("http://x/\0", "its name holds NUL or is not valid UTF-8")),
    ],
)
def test_a_url_is_taken_as_it_is(root: Path, url: str, expected: Entry) -> None:
    assert listed(url, root) == [expected]


def test_what_would_not_fit_in_a_message_is_not_registered(root: Path) -> None:
    (found,) = listed("http://example.com/a?token=" + "x" * 3600, root)
    assert isinstance(found, Found)
    (bad,) = listed("http://example.com/a?token=" + "x" * 4000, root)
    assert isinstance(bad, Bad)
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
    assert found[0] == Found("first", str(root / "a.jpg"), None, "holidays", 640, 480)
    assert found[1] == Found("x.jpg", None, "http://example.com/x.jpg")
    assert found[2] == Found("y.jpg", None, "http://example.com/y.jpg")
    assert [entry.name.split(":")[0] for entry in found if isinstance(entry, Bad)] == ["t.csv, line 5", "t.csv, line 6"]
    assert len(good(found)) == 5


@pytest.mark.parametrize("column", ["path", "file", "file_name", "filename", "image_path"])
def test_a_csv_column_with_paths_may_have_any_usual_name(root: Path, column: str) -> None:
    (root / "t.csv").write_text(f"id,{column}\n1,a.jpg\n")
    assert good(listed(root / "t.csv", root)) == [str(root / "a.jpg")]


@pytest.mark.parametrize("content", ["", "\n", "id,name\n1,a\n", "a.jpg\nb.jpg\n"])
def test_a_csv_without_a_column_of_paths_is_a_mistake(root: Path, content: str) -> None:
    (root / "t.csv").write_text(content)
    with pytest.raises(WindmillError, match="has no column with a path or URL"):
        listed(root / "t.csv", root)


def test_a_csv_field_without_end_is_a_mistake_and_not_a_crash(root: Path) -> None:
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
        Found("a.jpg", str(root / "a.jpg"), None, None, 640, 480),
        Found("b.jpg", None, "http://example.com/b.jpg"),
    ]
    bad = [entry for entry in found if isinstance(entry, Bad)]
    assert len(bad) == 6
    orjson.dumps([entry.name for entry in bad])
    assert bad[0].name.startswith("coco.json, image 2")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "{}", '{"images": 5}', '{"images": null}', "\x00", "[" * 100_000]
)
def test_what_is_no_coco_document_is_a_mistake_and_not_a_crash(root: Path, content: str) -> None:
    (root / "coco.json").write_text(content)
    with pytest.raises(WindmillError, match=r"coco\.json is not a COCO document"):
        listed(root / "coco.json", root)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
@pytest.mark.parametrize("name", ["list.txt", "t.csv"])
def test_a_list_that_may_not_be_read_is_a_mistake_and_not_a_crash(root: Path, name: str) -> None:
    (root / name).touch(0)
    with pytest.raises(WindmillError, match="cannot be read"):
        listed(root / name, root)


def test_a_folder_of_any_size_is_listed_as_it_is_needed(root: Path) -> None:
    found = entries(str(root), io.StringIO(), root=root)
    assert isinstance(next(found), Found | Bad)
