"""SQL by name."""

import re
from pathlib import Path

import pytest

from windmill.core.settings import ROOT
from windmill.core.stages import STAGES
from windmill.storage.queries import queries


def test_each_statement_is_found_under_the_name_above_it(tmp_path: Path) -> None:
    (tmp_path / "b.sql").write_text(
        "-- About this file.\n\n-- name: one\n-- why\nSELECT 1;\n\n-- name: two\nSELECT\n2;\n"
    )
    (tmp_path / "a.sql").write_text("-- name: three\nSELECT 3;")
    assert queries(tmp_path) == {"one": "-- why\nSELECT 1;", "two": "SELECT\n2;", "three": "SELECT 3;"}


def test_a_name_that_stands_twice_is_refused_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("-- name: one\nSELECT 1;\n")
    (tmp_path / "b.sql").write_text("-- name: one\nSELECT 2;\n")
    with pytest.raises(ValueError, match=r"b\.sql: duplicate query one"):
        queries(tmp_path)


def test_every_query_that_the_code_asks_for_is_there_and_none_is_left_over() -> None:
    sources = [
        file
        for folder in ("windmill", "workers", "producers", "postprocessors", "dev", "deploy")
        for file in (ROOT / folder).rglob("*.py")
    ]
    code = "\n".join(file.read_text(encoding="utf-8") for file in sources)
    asked = set(re.findall(r"""(?:sql|_sql|queries\(\))\[["'](\w+)["']\]""", code))
    asked |= {
        name for spec in STAGES.values() for name in (spec.looked_at_query, spec.stale_query, spec.forget_query) if name
    }
    assert asked == set(queries())
