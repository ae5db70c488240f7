"""What an entry of the audit log changed, field by field. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

MOST = 160


@dataclass(frozen=True)
class Change:
    """A field with its values; an empty text is no value."""

    field: str
    before: str
    after: str


def changes_of(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Change]:
    """Only fields that differ; of something new or gone only what says anything, so neither false nor nought."""
    if before is None or after is None:
        before, after = ({name: value for name, value in (one or {}).items() if value} for one in (before, after))
    old, new = before, after
    names = [*new, *(name for name in old if name not in new)]
    told = [
        Change(name, _text(old.get(name)), _text(new.get(name))) for name in names if old.get(name) != new.get(name)
    ]
    return [one for one in told if one.before or one.after]


def _text(value: object) -> str:
    if value is None or value in ("", [], {}):
        return ""
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    return text if len(text) <= MOST else text[: MOST - 1] + "\u2026"
