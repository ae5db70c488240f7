"""An image in several groups is submitted with each of them; exact copies share one answer."""

import asyncio
import hashlib
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.integration.fleet import SMALL_JPEG, Fleet
from tests.unit.archives import tar_of, zip_of
from windmill.core.settings import ROOT, Settings
from windmill.storage import database
from windmill.storage.migrations import MIGRATIONS, migrate
from windmill.submit.copies import CopyFinder, file_digest
from windmill.submit.entry_types import FoundImage

pytestmark = [pytest.mark.database, pytest.mark.broker]


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Two different pictures; one of them twice, and of a third that begins alike and is as long."""
    folder = tmp_path / "album"
    folder.mkdir()
    long = SMALL_JPEG + bytes(10_000)
    for name, data in {"a": long, "b": SMALL_JPEG, "c": long, "d": long[:-1] + b"1"}.items():
        (folder / f"{name}.jpg").write_bytes(data)
    return folder


async def register(fleet: Fleet, *arguments: object) -> str:
    end = await fleet.run("producers.images", *map(str, arguments))
    assert end.code == 0, end.err
    return end.out


async def submitted(fleet: Fleet, *arguments: str) -> list[str]:
    """The files whose jobs a producer publishes, by their first letter."""
    end = await fleet.produce("--services", "ocr", *arguments)
    assert end.code == 0, end.err
    ids = await fleet.image_ids("ocr")
    rows = await fleet.rows.fetch("SELECT image_filename FROM images WHERE image_id = ANY ($1::bigint[])", ids)
    assert len(rows) == len(ids)
    return sorted(row["image_filename"].removesuffix(".jpg") for row in rows)


async def copies(fleet: Fleet) -> dict[str, str]:
    rows = await fleet.rows.fetch(
        "SELECT c.image_filename AS copy, o.image_filename AS original"
        " FROM images AS c JOIN images AS o ON o.image_id = c.original_id"
    )
    return {row["copy"]: row["original"] for row in rows}


async def test_an_image_that_comes_into_a_group_late_is_submitted_with_it_once(fleet: Fleet, album: Path) -> None:
    await register(fleet, album / "a.jpg", "--group", "first")
    await register(fleet, album / "b.jpg", album / "d.jpg", "--group", "second")
    assert await submitted(fleet, "--group", "second") == ["b", "d"]
    await register(fleet, album / "a.jpg", "--group", "second")
    assert await submitted(fleet, "--group", "second") == ["a"]
    assert await submitted(fleet, "--group", "second") == []
    assert await submitted(fleet, "--group", "first") == []


async def test_what_was_submitted_with_one_group_is_not_submitted_again_with_another(fleet: Fleet, album: Path) -> None:
    await register(fleet, album / "a.jpg", "--group", "first")
    assert await submitted(fleet, "--group", "first") == ["a"]
    await register(fleet, album / "a.jpg", "--group", "second")
    assert await submitted(fleet, "--group", "second") == []
    assert await submitted(fleet) == []


async def test_repair_knows_which_group_an_image_was_submitted_with(fleet: Fleet, album: Path) -> None:
    await register(fleet, album / "a.jpg", "--group", "first")
    await register(fleet, album / "b.jpg", "--group", "second")
    assert await submitted(fleet, "--group", "second") == ["b"]
    await register(fleet, album / "a.jpg", "--group", "second")
    before = await fleet.run("windmill", "repair", "--services", "ocr", "--group", "second", "--only-jobs", "--json")
    assert before.json()["jobs"] == 1
    await fleet.take_all("ocr")
    assert await submitted(fleet, "--group", "second") == ["a"]
    after = await fleet.run("windmill", "repair", "--services", "ocr", "--group", "second", "--only-jobs", "--json")
    assert after.json()["jobs"] == 2


async def test_groups_of_before_are_carried_over(fleet: Fleet, settings: Settings, tmp_path: Path) -> None:
    await fleet.rows.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder)
    for later in sorted(folder.glob("*.sql"))[3:]:
        later.unlink()
    async with database.connection(settings, "test") as connection:
        await migrate(connection, folder)
        await connection.execute(
            "INSERT INTO images (image_filename, image_path, image_group)"
            " VALUES ('a', '/a', 'one'), ('b', '/b', NULL), ('c', '/c', 'two')"
        )
        await migrate(connection)
        found = await connection.fetch("SELECT image_group, image_id, after_run FROM image_groups ORDER BY image_group")
    assert [tuple(row) for row in found] == [("one", 1, 0), ("two", 3, 0)]


async def test_a_group_written_by_hand_counts_and_goes_with_its_image(fleet: Fleet) -> None:
    [image_id] = await fleet.register(1, "first")
    await fleet.rows.execute("UPDATE images SET image_group = 'second'")
    groups = "SELECT array_agg(image_group ORDER BY image_group) FROM image_groups WHERE image_id = $1"
    assert await fleet.rows.fetchval(groups, image_id) == ["first", "second"]
    await fleet.rows.execute("DELETE FROM images")
    assert await fleet.rows.fetchval(groups, image_id) is None


async def test_a_copy_is_registered_and_not_submitted(fleet: Fleet, album: Path) -> None:
    said = await register(fleet, album)
    assert said.startswith("4 registered (1 of them copies, which share the results of their originals), 0 known")
    [(copy, original)] = (await copies(fleet)).items()
    assert {copy, original} == {"a.jpg", "c.jpg"}
    assert await submitted(fleet) == sorted({"b", "d", original[0]})
    assert await submitted(fleet, "--reprocess") == sorted({"b", "d", original[0]})
    status = await fleet.run("windmill", "status", "--services", "ocr", "--json")
    assert (status.json()["images"], status.json()["copies"]) == (4, 1)


async def test_what_is_said_of_the_original_is_found_for_the_copy(fleet: Fleet, album: Path) -> None:
    await register(fleet, album)
    await fleet.rows.execute(
        "INSERT INTO results (image_id, service, status, data)"
        " SELECT image_id, 'ocr', 'success', '1' FROM images WHERE original_id IS NULL"
    )
    found = await fleet.rows.fetch(
        "SELECT a.image_id FROM answering_images AS a JOIN results AS r ON r.image_id = a.answering_id"
    )
    assert len(found) == 4
    incomplete = (ROOT / "sql" / "monitoring" / "incomplete.sql").read_text()
    assert await fleet.rows.fetch(incomplete) == []


async def test_copies_that_are_kept_are_submitted_as_pictures_of_their_own(fleet: Fleet, album: Path) -> None:
    await register(fleet, album, "--keep-copies")
    assert await copies(fleet) == {}
    assert await submitted(fleet) == ["a", "b", "c", "d"]


async def test_a_copy_of_a_file_is_found_in_archives_too(fleet: Fleet, album: Path, tmp_path: Path) -> None:
    data = (album / "a.jpg").read_bytes()
    await register(fleet, album / "a.jpg")
    await register(fleet, tar_of(tmp_path / "t.tar", {"in-tar.jpg": data}), zip_of(tmp_path / "z.zip", {"z.jpg": data}))
    assert await copies(fleet) == {"in-tar.jpg": "a.jpg", "z.jpg": "a.jpg"}


async def test_the_original_of_a_copy_is_submitted_with_the_groups_of_the_copy(fleet: Fleet, album: Path) -> None:
    await register(fleet, album / "a.jpg", "--group", "first")
    await register(fleet, album / "b.jpg", "--group", "second")
    assert await submitted(fleet, "--group", "second") == ["b"]
    await register(fleet, album / "c.jpg", "--group", "second")
    assert await copies(fleet) == {"c.jpg": "a.jpg"}
    assert await submitted(fleet, "--group", "second") == ["a"]


async def test_two_commands_at_once_make_one_original(fleet: Fleet, album: Path) -> None:
    commands = [fleet.run("producers.images", str(album / name)) for name in ("a.jpg", "c.jpg")]
    assert [end.code for end in await asyncio.gather(*commands)] == [0, 0]
    assert len(await copies(fleet)) == 1


async def test_an_image_from_before_samples_is_the_original_once_it_was_named_again(fleet: Fleet, album: Path) -> None:
    await fleet.rows.execute(
        "INSERT INTO images (image_filename, image_path) VALUES ('a.jpg', $1)", str(album / "a.jpg")
    )
    await register(fleet, album / "a.jpg")
    await register(fleet, album / "c.jpg")
    assert await copies(fleet) == {"c.jpg": "a.jpg"}


async def test_only_files_that_may_be_copies_are_read_whole(fleet: Fleet, album: Path) -> None:
    read: Counter[str] = Counter()
    digest = file_digest(fleet.settings)

    def counted(location: str) -> bytes | None:
        read[location] += 1
        return digest(location)

    found = [
        FoundImage(f"{name}.jpg", str(album / f"{name}.jpg"), None, sample=sample)
        for name, sample in {"a": 1, "b": 2, "c": 1, "d": 3, "gone": 3}.items()
    ]
    looked = await CopyFinder(fleet.rows, counted).look(found)
    assert set(read) == {one.location for one in found if one.image_filename != "b.jpg"}
    assert looked.new == {found[2].location: found[0].location}
    whole = hashlib.sha256((album / "a.jpg").read_bytes()).digest()
    assert looked.digests[found[0].location] == whole
