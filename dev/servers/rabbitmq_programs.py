"""Finding RabbitMQ's programs: installed in the system, or unpacked from Debian's packages."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.servers import c_library
from dev.servers.processes import plain_environment

# The real script of the package; the one in /usr/sbin switches to the user of the system's server.
PACKAGED = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
TREE_SCRIPT = Path("usr/lib/rabbitmq/bin/rabbitmq-server")


@dataclass(frozen=True)
class RabbitmqPrograms:
    """The start script of the server, and the paths of Erlang and its libraries."""

    script: Path
    path: tuple[Path, ...] = ()
    libraries: tuple[Path, ...] = ()

    def environment(self) -> dict[str, str]:
        plain = plain_environment()
        paths = [str(path) for path in self.path]
        env = plain | {"PATH": ":".join([*paths, plain["PATH"]])}
        if self.libraries:
            env["LD_LIBRARY_PATH"] = ":".join(map(str, self.libraries))
        return env

    def epmd(self) -> str | None:
        """Erlang's port mapper: on the path, or below the directory of `erl`."""
        path = self.environment()["PATH"]
        if found := shutil.which("epmd", path=path):
            return found
        erl = shutil.which("erl", path=path)
        deep = Path(erl).resolve().parent.parent.glob("erts-*/bin/epmd") if erl else ()
        return next(map(str, deep), None)


def installed() -> RabbitmqPrograms | None:
    """The installed programs, without the wrappers that start the system's own server."""
    found = shutil.which("rabbitmq-server")
    for script in (PACKAGED, *([Path(found).resolve()] if found else [])):
        if (script.parent / "rabbitmq-env").exists():
            return RabbitmqPrograms(script, path=tuple(_erlang()))
    return None


def _erlang() -> Iterator[Path]:
    if erl := shutil.which("erl"):
        yield Path(erl).parent


def in_tree(tree: Path) -> RabbitmqPrograms:
    """What `debian_packages` unpacked. Of the tree's other programs none is used, as they may not run on this system;
    and libraries beside a C library of their own are for Erlang alone, which finds them by itself."""
    libraries = () if c_library.loader(tree) else tuple(c_library.libraries(tree))
    return RabbitmqPrograms(tree / TREE_SCRIPT, path=(tree / "usr/lib/erlang/bin",), libraries=libraries)


def cache(named: Mapping[str, str]) -> Path:
    """Where unpacked trees are kept for all checkouts of this user."""
    base = named.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "windmill"


def at(script: Path) -> RabbitmqPrograms | None:
    """The programs that an instance used before, if they are still there."""
    if not script.exists():
        return None
    for tree in script.parents:
        if tree / TREE_SCRIPT == script and tree != Path("/"):
            return in_tree(tree)
    return installed()
