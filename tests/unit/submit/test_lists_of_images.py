"""Lists of images, tables and COCO documents: each bad entry is reported and skipped."""

import io
import json
import os
from pathlib import Path

import orjson
import pytest

from tests.unit.submit.listed_images import JPEG, good, listed, reasons
from windmill.core.errors import WindmillError
from windmill.kernels.net.store_urls import unknown_scheme
from windmill.submit.image_listing import BadEntry, FoundImage, ImageAccess, list_entries


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with two pictures and a note, the images' root."""
    folder = tmp_path / "pictures"
    (folder / "inner" / "deep").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(JPEG)
    (folder / "inner" / "deep" / "B.PNG").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "notes.md").write_text("no picture")
    return folder


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
    assert found[1] == BadEntry("t.csv, line 3: ftp://x/y.jpg", unknown_scheme("ftp://"))


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
