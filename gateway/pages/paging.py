"""Where the next page of a list begins. Pure."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query

Cursor = Annotated[str | None, Query(max_length=2_000)]


def older_than(path: str, cursor: str | None, filters: Mapping[str, str | None] | None = None) -> str:
    """The address of the page behind this cursor, with the filters that are set; nothing after the last."""
    if cursor is None:
        return ""
    kept = {name: value for name, value in (filters or {}).items() if value}
    return f"{path}?{urlencode({**kept, 'cursor': cursor})}"
