"""Programs that run with the C library which was unpacked beside them, on a system that has an older one.

A program names its loader by an absolute path, so it would get the system's, which cannot load a newer C library. Here
a script takes its place, which starts it by the loader of the tree. Neither root nor a root directory of its own is
needed for this, and what the program itself starts, such as a shell, gets the system's libraries as ever.
"""

import os
from collections.abc import Iterator
from pathlib import Path

PROGRAMS = ("usr/lib/erlang/bin/*", "usr/lib/erlang/erts-*/bin/*", "usr/lib/erlang/lib/*/priv/bin/*")
REAL = ".real"
ELF = b"\x7fELF"
SCRIPT = """\
#!/bin/sh
# Starts the program beside it with the C library of its own tree.
self=$(readlink -f "$0")
here=${{self%/*}}
exec "$here/{loader}" --argv0 "$0" --library-path "{libraries}" "$self{real}" "$@"
"""


def libraries(tree: Path) -> list[Path]:
    """The directories of the tree's libraries."""
    return [path for part in ("lib", "usr/lib") for path in sorted((tree / part).glob("*-linux-*"))]


def loader(tree: Path) -> Path | None:
    """The loader of the tree's own C library, if it has one."""
    found = (path for directory in libraries(tree) for path in sorted(directory.glob("ld-linux*.so.*")))
    return next(found, None)


def use_own(tree: Path) -> None:
    """Let Erlang's programs run with the C library in the tree, wherever the tree is moved; if it has none, nothing."""
    own = loader(tree)
    if own is None:
        return
    for program in _programs(tree):
        here = program.parent
        script = SCRIPT.format(
            loader=os.path.relpath(own, here),
            libraries=":".join(f"$here/{os.path.relpath(directory, here)}" for directory in libraries(tree)),
            real=REAL,
        )
        program.rename(program.with_name(program.name + REAL))
        program.write_text(script)
        program.chmod(0o755)


def _programs(tree: Path) -> Iterator[Path]:
    """What is no script and no link."""
    for path in (path for pattern in PROGRAMS for path in sorted(tree.glob(pattern))):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                if file.read(len(ELF)) == ELF:
                    yield path
