"""Which part of a file is asked for (RFC 9110). Pure."""

import re
from typing import NamedTuple

from windmill.core.errors import WindmillError

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Part(NamedTuple):
    """So many bytes from `start` on."""

    start: int
    length: int


def wanted_part(header: str | None, size: int) -> Part | None:
    """The part, or None for the whole file: also where several parts are asked for. Raises RANGE_NOT_SATISFIABLE."""
    found = _RANGE.fullmatch(header.strip().replace(" ", "")) if header else None
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        length = min(int(last), size)
        return _checked(Part(size - length, length), size)
    if last and int(last) < int(first):
        return None
    until = min(int(last), size - 1) if last else size - 1
    return _checked(Part(int(first), until - int(first) + 1), size)


def _checked(part: Part, size: int) -> Part:
    if part.length < 1 or part.start >= size:
        raise WindmillError("RANGE_NOT_SATISFIABLE", f"the file has {size:,} bytes")
    return part
