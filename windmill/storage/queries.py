"""Named SQL statements from sql/queries/*.sql, each under a line `-- name: what_it_does`."""

import re
from functools import cache
from pathlib import Path

from windmill.core.paths import packaged_file

QUERIES = packaged_file("sql") / "queries"
_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def queries(folder: Path = QUERIES) -> dict[str, str]:
    """Every named statement of the folder."""
    found: dict[str, str] = {}
    for file in sorted(folder.glob("*.sql")):
        parts = _NAME.split(file.read_text(encoding="utf-8"))
        for name, statement in zip(parts[1::2], parts[2::2], strict=True):
            if name in found:
                raise ValueError(f"{file.name}: duplicate query {name}")
            found[name] = statement.strip()
    return found
