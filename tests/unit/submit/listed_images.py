"""Listing what a test has put into a folder."""

import io
from collections.abc import Iterable
from pathlib import Path

from windmill.submit.image_listing import BadEntry, Entry, FoundImage, ImageAccess, list_entries

JPEG = b"\xff\xd8\xff\xe0 picture"


def listed(argument: object, root: Path, stdin: str = "", allowed: Iterable[str] = ()) -> list[Entry]:
    return list(list_entries(str(argument), io.StringIO(stdin), ImageAccess(root, frozenset(allowed))))


def good(found: Iterable[Entry]) -> list[str]:
    return sorted(str(entry.image_path or entry.image_url) for entry in found if isinstance(entry, FoundImage))


def reasons(found: Iterable[Entry]) -> dict[str, str]:
    return {Path(entry.name).name: entry.reason for entry in found if isinstance(entry, BadEntry)}
