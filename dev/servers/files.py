"""Small files of an instance: private to their owner, replaced whole, and one lock for all of them."""

import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def private_opener(path: str, flags: int) -> int:
    """For `open(..., opener=)`: a new file is for its owner only."""
    return os.open(path, flags, 0o600)


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file atomically: a reader sees the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            os.fchmod(descriptor, mode)
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty if the file is missing or has none."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace the content of a file by this object."""
    write_private(path, json.dumps(content, indent=2) + "\n")


@contextmanager
def locked(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold a lock file; `on_wait` is called once if another process holds it. The lock ends with its holder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", opener=private_opener) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
