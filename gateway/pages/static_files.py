"""Style, script and icon. The address of each holds a digest of its bytes, so browsers keep it for ever and still see a
new one at once."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
PREFIX = "/ui/static/"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class StaticFile:
    name: str
    """With the digest, as in `windmill.3f9a0c1b2d4e.css`."""
    media_type: str
    body: bytes

    @property
    def url(self) -> str:
        return PREFIX + self.name


@cache
def static_files(folder: Path = FOLDER) -> Mapping[str, StaticFile]:
    """All files of the folder, by their plain names."""
    return {path.name: _read(path) for path in sorted(folder.iterdir()) if path.suffix in _TYPES}


def _read(path: Path) -> StaticFile:
    body = path.read_bytes()
    digest = hashlib.sha256(body).hexdigest()[:12]
    return StaticFile(f"{path.stem}.{digest}{path.suffix}", _TYPES[path.suffix], body)


def static_url(name: str) -> str:
    """The address of a file, for templates."""
    return static_files()[name].url


def find_static(name: str) -> StaticFile | None:
    """By its name with the digest."""
    return next((one for one in static_files().values() if one.name == name), None)
