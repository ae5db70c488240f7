"""What an engine left in its folder of outputs: listed, and refused if it is not what it claims to be.

An engine that ends well may still have written half a picture, a link to somewhere else, or nothing.
"""

import mimetypes
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from windmill.core.errors import WindmillError
from windmill.engines.engine import EngineRequest, ProducedFile
from windmill.kernels.text.natural_order import natural_key

MAX_FILES = 100_000
FREE_BYTES = 64 * 1024 * 1024
"""A scratch folder with less free space than this is full."""
_HEAD_BYTES = 16
_TAIL_BYTES = 12
_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_JPEG = b"\xff\xd8\xff"
_REMEDY = "correct the engine: what it writes must be whole files below its folder of outputs"


def prepare(request: EngineRequest) -> None:
    """Make an empty folder for the outputs: what an earlier try left there is not of this one."""
    must_have_room(request.scratch)
    if request.out.exists():
        shutil.rmtree(request.out)
    request.out.mkdir(parents=True)


def must_have_room(folder: Path, least: int = FREE_BYTES) -> None:
    """Raises INSUFFICIENT_DISK_SPACE if next to nothing is free."""
    folder.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(folder).free) < least:
        raise WindmillError("INSUFFICIENT_DISK_SPACE", f"{free:,} bytes are free below {folder}")


def gather(folder: Path, request: EngineRequest) -> list[ProducedFile]:
    """The files in a folder of the outputs, in natural order; raises BAD_RESPONSE if one is not acceptable or there is
    none."""
    root = request.out.resolve()
    found = folder.resolve()
    if not found.is_relative_to(root):
        raise bad_output(f"it names {folder}, which is not below its folder of outputs")
    if not found.is_dir():
        raise bad_output(f"it names the folder {folder}, which does not exist")
    paths = sorted(_files(found), key=lambda path: natural_key(path.relative_to(root).as_posix()))
    if not paths:
        raise bad_output("it ended well, but made no file")
    return [_accepted(path, root) for path in paths]


def bad_output(said: str, remedy: str = _REMEDY) -> WindmillError:
    """The error for an engine that does not keep its contract."""
    return WindmillError("BAD_RESPONSE", said, remedy)


def media_type_of(name: str) -> str:
    """By the name, as the types of what engines make show in their suffixes."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _files(folder: Path) -> Iterator[Path]:
    count = 0
    for where, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(where, name)
            mode = path.lstat().st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise bad_output(f"{name} is neither a file nor a folder")
        for name in names:
            count += 1
            if count > MAX_FILES:
                raise bad_output(f"it made more than {MAX_FILES:,} files")
            yield Path(where, name)


def _accepted(path: Path, root: Path) -> ProducedFile:
    name = path.relative_to(root).as_posix()
    kind = media_type_of(name)
    if fault := _fault(path, kind):
        raise bad_output(f"{name} {fault}")
    return ProducedFile(name, path, kind)


def _fault(path: Path, kind: str) -> str | None:
    """What shows without decoding it: an empty file, half a PNG, a page of HTML under the name of a picture."""
    size = path.stat().st_size
    if not size:
        return "is empty"
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        file.seek(max(0, size - _TAIL_BYTES))
        tail = file.read()
    if kind == "image/png":
        return "is not a PNG" if not head.startswith(_PNG) else None if tail.endswith(_PNG_END) else "is cut off"
    return "is not a JPEG" if kind == "image/jpeg" and not head.startswith(_JPEG) else None
