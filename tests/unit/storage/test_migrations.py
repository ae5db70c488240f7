"""Which migrations are to be applied, and which histories are refused."""

from pathlib import Path

import pytest

from windmill.core.errors import WindmillError
from windmill.storage.migrations import Migration, available, pending

ONE, TWO, THREE = (Migration(number, f"step{number}", f"SELECT {number};") for number in (1, 2, 3))


@pytest.mark.parametrize(
    ("applied", "todo"),
    [([], [ONE, TWO, THREE]), ([ONE], [TWO, THREE]), ([ONE, THREE], [TWO]), ([ONE, TWO, THREE], [])],
)
def test_what_was_not_applied_is_still_to_do_in_order(applied: list[Migration], todo: list[Migration]) -> None:
    assert pending([ONE, TWO, THREE], {done.version: done.digest for done in applied}) == todo


def test_a_migration_whose_text_changed_after_it_was_applied_is_refused() -> None:
    with pytest.raises(WindmillError, match="0002 step2 was applied with different text"):
        pending([ONE, TWO], {1: ONE.digest, 2: THREE.digest})


def test_a_database_of_a_newer_checkout_is_refused() -> None:
    with pytest.raises(WindmillError, match="knows migration 0003") as refused:
        pending([ONE, TWO], {1: ONE.digest, 3: THREE.digest})
    assert "update the code" in refused.value.remedy


def test_files_are_taken_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("0010_ten.sql", "0002_two.sql", "0001_one.sql"):
        (tmp_path / name).write_text(f"-- {name}")
    found = available(tmp_path)
    assert [(one.version, one.name, one.script) for one in found] == [
        (1, "one", "-- 0001_one.sql"),
        (2, "two", "-- 0002_two.sql"),
        (10, "ten", "-- 0010_ten.sql"),
    ]


@pytest.mark.parametrize("name", ["1_short.sql", "0001.sql", "0001_a b.sql", "copy of 0001_a.sql", "00001_long.sql"])
def test_a_file_that_is_not_named_as_a_migration_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(WindmillError, match="is not named NNNN_name") as refused:
        available(tmp_path)
    assert name in str(refused.value)


def test_two_migrations_with_one_number_are_refused(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("SELECT 1")
    (tmp_path / "0001_b.sql").write_text("SELECT 2")
    with pytest.raises(WindmillError, match="two migrations have the number 0001"):
        available(tmp_path)


def test_the_migrations_of_this_checkout_are_numbered_from_1_without_gaps() -> None:
    versions = [migration.version for migration in available()]
    assert versions == list(range(1, len(versions) + 1))
