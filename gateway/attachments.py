"""The header by which a browser or curl saves an answer under its name. Pure."""

import re
from urllib.parse import quote

_UNSAFE = re.compile(r"[^ !#-$&-.0-\[\]-~]")
"""Beyond ASCII, and what would end the quotes, begin an escape or name a folder."""


def attachment(name: str) -> str:
    """Content-Disposition for a file of this name. Not every client reads `filename*`, so those that do not, such as
    curl, are told a name in ASCII first."""
    return f"attachment; filename=\"{_UNSAFE.sub('_', name)}\"; filename*=UTF-8''{quote(name, safe='')}"
