"""The results table in memory. `tests/conformance/database` holds it against the real one."""

import json
from dataclasses import dataclass, field

from windmill.core.errors import DataRefused
from windmill.storage.result_writer import ResultRow


@dataclass
class FakeTable:
    """`written` is every row that was taken, `kept` what the table holds after them."""

    written: list[ResultRow] = field(default_factory=list)
    kept: dict[tuple[int, str], ResultRow] = field(default_factory=dict)

    async def write(self, row: ResultRow) -> None:
        if any("\x00" in value for value in row if isinstance(value, str)):
            raise DataRefused("invalid byte sequence for encoding: 0x00")
        if row.data is not None and not _is_json(row.data):
            raise DataRefused("invalid input syntax for type json")
        self.written.append(row)
        key = row.image_id, row.service
        before = self.kept.get(key)
        if before is None or _worth(row) > _worth(before):
            self.kept[key] = row


def _worth(row: ResultRow) -> tuple[bool, float]:
    """Of two rows the success is kept, and of two of a kind the newer submission."""
    return row.error_code is None, row.submitted_at.timestamp()


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
