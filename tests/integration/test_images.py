"""python -m producers.images: what is registered, what is named as bad, and that nothing is registered twice."""

import json
from pathlib import Path

import pytest

from tests.integration.fleet import SMALL_JPEG, Fleet

pytestmark = [pytest.mark.database, pytest.mark.broker]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images, two of them below; and three files that are none."""
    folder = tmp_path / "album"
    (folder / "below" / "deeper").mkdir(parents=True)
    for name in ("one.jpg", "below/two.JPEG", "below/deeper/three.png"):
        (folder / name).write_bytes(SMALL_JPEG)
    (folder / "text.jpg").write_text("not an image")
    (folder / "empty.png").touch()
    (folder / "notes.txt").write_text("images/none.jpg\n")
    return folder


async def registered(fleet: Fleet) -> list[dict[str, object]]:
    rows = await fleet.rows.fetch("SELECT * FROM images ORDER BY image_id")
    return [dict(row) for row in rows]


async def test_a_folder_is_registered_once_and_its_bad_files_are_named_and_not_fatal(
    fleet: Fleet, folder: Path
) -> None:
    first = await fleet.run("producers.images", str(folder), "--json")
    second = await fleet.run("producers.images", str(folder), "--json")
    assert (first.code, second.code) == (0, 0)
    same = {"bad": 2, "bad_entries": first.json()["bad_entries"], "ignored": {".txt": 1}}
    assert first.json() == {"registered": 3, "copies": 2, "known": 0, "joined_group": 0, **same}
    assert second.json() == {"registered": 0, "copies": 0, "known": 3, "joined_group": 0, **same}
    assert "text.jpg: does not begin as an image" in first.err
    assert "empty.png: is empty" in first.err
    paths = {row["image_path"] for row in await registered(fleet)}
    assert paths == {str(folder / name) for name in ("one.jpg", "below/two.JPEG", "below/deeper/three.png")}


async def test_files_of_other_kinds_are_counted_by_their_suffix_at_the_end(fleet: Fleet, folder: Path) -> None:
    (folder / "below" / "README").touch()
    for number, suffix in enumerate(("heic", "cr2", "nef", "mov", "MOV", "mp4", "xml"), start=2):
        for copy in range(number):
            (folder / "below" / f"{number}-{copy}.{suffix}").touch()
    end = await fleet.run("producers.images", str(folder))
    assert end.out.splitlines() == [
        "3 registered (2 of them copies, which share the results of their originals), 0 known already, 2 bad",
        "37 other file(s) ignored (.mov 11, .xml 8, .mp4 7, .nef 4, .cr2 3, ...); "
        "Windmill reads .avif .bmp .gif .jpeg .jpg .png .tif .tiff .webp",
    ]


async def test_every_bad_entry_is_in_the_bad_list_though_few_are_shown(fleet: Fleet, folder: Path) -> None:
    for number in range(30):
        (folder / "below" / f"a\tb\n{number}.jpg").touch()
    bad_list = folder / "bad.tsv"
    bad_list.write_text("of an earlier run\n")
    end = await fleet.run("producers.images", str(folder), "--bad-list", str(bad_list))
    lines = [line.split("\t") for line in bad_list.read_text().splitlines()]
    assert end.code == 0
    assert "skipped 12 more" in end.err
    assert len(lines) == 32
    assert [f"{folder}/below/a\\tb\\n7.jpg", "is empty"] in lines
    assert [f"{folder}/text.jpg", "does not begin as an image"] in lines


@pytest.mark.parametrize("name", [".", "missing/bad.tsv"])
async def test_a_bad_list_that_cannot_be_written_is_told_before_anything_is_registered(
    name: str, fleet: Fleet, folder: Path
) -> None:
    end = await fleet.run("producers.images", str(folder), "--bad-list", str(folder / name))
    assert (end.code, end.out) == (2, "")
    assert end.err.startswith(f"USAGE: --bad-list={folder / name} cannot be written: ")
    assert end.err.count("\n") == 1
    assert await registered(fleet) == []


async def test_a_known_image_comes_into_another_group_as_well_and_that_is_said(fleet: Fleet, folder: Path) -> None:
    one = str(folder / "one.jpg")
    first = await fleet.run("producers.images", one, "--group", "old")
    plain = await fleet.run("producers.images", one)
    second = await fleet.run("producers.images", one, "--group", "new")
    assert first.out == "1 registered, 0 known already, 0 bad\n"
    assert plain.out == "0 registered, 1 known already, 0 bad\n"
    assert second.out == "0 registered, 1 known already (1 of them new in this group), 0 bad\n"
    assert [row["image_group"] for row in await registered(fleet)] == ["old"]
    groups = await fleet.rows.fetch("SELECT image_group FROM image_groups ORDER BY image_group")
    assert [row["image_group"] for row in groups] == ["new", "old"]


async def test_a_folder_without_any_image_is_a_failure_and_told(fleet: Fleet, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    end = await fleet.run("producers.images", str(empty))
    assert (end.code, end.err) == (1, f"skipped {empty}: no image found in it\n")


async def test_a_url_in_the_private_network_is_registered_only_where_it_is_allowed(fleet: Fleet) -> None:
    url = "http://127.0.0.1:8000/a.jpg"
    refused = await fleet.run("producers.images", url)
    allowed = await fleet.run("producers.images", url, IMAGE_URL_ALLOW="127.0.0.1")
    assert (refused.code, allowed.code) == (1, 0)
    assert "IMAGE_URL_ALLOW" in refused.err
    assert [row["image_url"] for row in await registered(fleet)] == [url]


async def test_the_same_folder_by_two_commands_at_once_is_registered_once(fleet: Fleet, folder: Path) -> None:
    commands = [fleet.start("producers.images", str(folder), "--json") for _ in range(2)]
    ends = [await command.finished() for command in commands]
    assert sum(end.json()["registered"] for end in ends) == 3
    assert len(await registered(fleet)) == 3


async def test_a_csv_table_brings_paths_urls_sizes_and_groups(fleet: Fleet, folder: Path) -> None:
    table = folder / "table.csv"
    table.write_text(
        "image_path,image_url,group,width,height\n"
        "one.jpg,,holidays,640,480\n"
        ",https://example.com/a%20b.jpg?x=1&y=2,holidays,,\n"
        "missing.jpg,,,,\n"
    )
    end = await fleet.run("producers.images", str(table), "--json")
    assert end.code == 0
    assert "table.csv, line 4" in end.err
    one, two = await registered(fleet)
    assert (one["image_path"], one["image_group"], one["width"]) == (str(folder / "one.jpg"), "holidays", 640)
    assert (two["image_url"], two["image_path"]) == ("https://example.com/a%20b.jpg?x=1&y=2", None)


async def test_a_coco_document_brings_the_files_beside_it_and_urls_for_those_that_are_not(
    fleet: Fleet, folder: Path
) -> None:
    document = folder / "instances.json"
    images = [
        {"id": 1, "file_name": "one.jpg", "width": 10, "height": 20, "coco_url": "http://example.com/1.jpg"},
        {"id": 2, "file_name": "gone.jpg", "coco_url": "http://example.com/2.jpg"},
        {"id": 3, "file_name": "gone.jpg"},
    ]
    document.write_text(json.dumps({"images": images}))
    end = await fleet.run("producers.images", str(document), "--group", "coco", "--json")
    assert (end.code, end.json()["registered"], end.json()["bad"]) == (0, 2, 1)
    one, two = await registered(fleet)
    assert (one["image_path"], one["height"], one["image_group"]) == (str(folder / "one.jpg"), 20, "coco")
    assert two["image_url"] == "http://example.com/2.jpg"


async def test_a_list_of_paths_and_urls_comes_from_a_file_or_standard_input(fleet: Fleet, folder: Path) -> None:
    lines = f"# a comment\n\n{folder / 'one.jpg'}\nhttp://example.com/pictures/9.jpg\n"
    listing = folder / "listing.txt"
    listing.write_text(lines)
    first = await fleet.run("producers.images", str(listing), "--json")
    second = await fleet.run("producers.images", "-", "--json", stdin=lines)
    assert (first.json()["registered"], second.json()["known"]) == (2, 2)


HOSTILE = {
    "NUL": '{"coco_url": "http://example.com/a\\u0000b.jpg"}',
    "lone surrogate": '{"coco_url": "http://example.com/a\\ud800b.jpg"}',
    "lone surrogate in a path": '{"file_name": "a\\ud800b.jpg"}',
    "lone surrogate in a group": '{"file_name": "one.jpg", "group": "\\ud800"}',
    "NUL in a group": '{"file_name": "one.jpg", "group": "a\\u0000"}',
    "bad host": '{"coco_url": "http://[/a.jpg"}',
    "too long for a message": '{"coco_url": "http://example.com/%s.jpg"}' % ("a" * 4096),
    "no object": "17",
}


@pytest.mark.parametrize("entry", HOSTILE.values(), ids=HOSTILE.keys())
async def test_an_entry_that_cannot_be_stored_or_sent_is_named_and_the_others_are_registered(
    entry: str, fleet: Fleet, folder: Path
) -> None:
    document = folder / "instances.json"
    document.write_text('{"images": [' + entry + ', {"coco_url": "http://example.com/good.jpg"}]}')
    end = await fleet.run("producers.images", str(document), "--json")
    assert "Traceback" not in end.err
    assert (end.code, end.json()["registered"], end.json()["bad"]) == (0, 1, 1)
    assert end.err.startswith("skipped ")


async def test_a_path_that_does_not_exist_is_told_before_anything_is_registered(fleet: Fleet, folder: Path) -> None:
    end = await fleet.run("producers.images", str(folder), str(folder / "nowhere"))
    assert end.code == 2
    assert "there is no file or folder" in end.err
    assert "nowhere" in end.err
    assert await registered(fleet) == []


async def test_files_outside_image_root_are_bad(fleet: Fleet, folder: Path) -> None:
    end = await fleet.run("producers.images", str(folder / "one.jpg"), IMAGE_ROOT=str(folder / "below"))
    assert end.code == 1
    assert "lies outside IMAGE_ROOT" in end.err


async def test_a_coco_document_whose_images_are_no_list_is_a_mistake_of_the_users(fleet: Fleet, folder: Path) -> None:
    document = folder / "instances.json"
    document.write_text('{"images": 5}')
    end = await fleet.run("producers.images", str(document))
    assert end.code == 2
    assert "is not a COCO document" in end.err


async def test_a_database_that_is_away_is_one_clear_line(fleet: Fleet, folder: Path) -> None:
    end = await fleet.run("producers.images", str(folder), DB_PORT="1")
    assert (end.code, end.out) == (1, "")
    assert end.err.startswith("DATABASE_UNAVAILABLE: ")
    assert end.err.count("\n") == 1
