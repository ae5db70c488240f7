"""RabbitMQ from Debian's packages, unpacked in the user's cache: no root, nothing installed in the system.

apt-get resolves the packages with directories of its own, and takes only what the archive's signed index names with the
checksum it has there; dpkg-deb unpacks them. They are those of the system's own release, or all that is needed out of
a suite of Debian that is newer than the system, down to its C library.
"""

import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from dev.servers import c_library, files
from dev.servers.server import ReportLine

Completed: TypeAlias = "subprocess.CompletedProcess[str]"

PACKAGE = "rabbitmq-server"
TOOLS = ("apt-get", "apt-config", "dpkg-deb")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
UPDATE_SECONDS = 300.0
DOWNLOAD_SECONDS = 1800.0

# Debian's `erl` has an absolute path compiled in; this one starts from the path of the script.
RELOCATED_ROOT = 'ROOTDIR="$(dirname "$(dirname "$(readlink -f "$0")")")"'


class CannotUnpack(Exception):
    """The packages cannot be downloaded or unpacked; the text says why."""


def can_unpack() -> bool:
    """Whether this is Debian, Ubuntu or a derivative."""
    return all(shutil.which(tool) for tool in TOOLS)


def unpacked(cache: Path, suite: str | None = None) -> Path | None:
    """The newest tree that an earlier run finished."""
    trees = [tree for tree in cache.glob(f"rabbitmq-*-{made_for(suite)}") if tree.is_dir()]
    return max(trees, key=lambda tree: _numbers(tree.name), default=None)


def unpack(cache: Path, report: ReportLine, suite: str | None = None) -> Path:
    """The tree of an earlier run, or a new one; a second process waits for the first one's.

    `suite` names one of Debian's, such as testing; without it the packages are those of this system's release.
    """
    if " " in str(cache):
        raise CannotUnpack(f"RabbitMQ's scripts cannot handle the space in {cache}; XDG_CACHE_HOME moves it")
    with files.locked(cache / ".lock", lambda: report("rabbitmq    another process is downloading it")):
        return unpacked(cache, suite) or _unpack_new(cache, report, suite)


def _unpack_new(cache: Path, report: ReportLine, suite: str | None) -> Path:
    for leftover in cache.glob(".unpacking-*"):
        shutil.rmtree(leftover)
    work = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=cache))
    work.chmod(0o755)
    try:
        packages = _download(work / "apt", report, suite)
        tree = work / "tree"
        for package in packages:
            _run(["dpkg-deb", "-x", str(package), str(tree)], timeout=120)
        relocate(tree)
        c_library.use_own(tree)
        return tree.rename(cache / f"rabbitmq-{_version(packages)}-{made_for(suite)}")
    finally:
        # What a program that was stopped still writes must not hide why it was.
        shutil.rmtree(work, ignore_errors=True)


def _download(apt: Path, report: ReportLine, suite: str | None) -> list[Path]:
    config = _configure(apt, suite)
    report("rabbitmq    asks Debian's package index (nothing is installed in the system)")
    # One broken third-party source fails the whole update, so only the next step decides.
    update = _apt(config, ["update"], timeout=UPDATE_SECONDS, check=False)
    size = "70 MB with all they need" if suite else "35 MB"
    report(f"rabbitmq    downloads RabbitMQ and Erlang, about {size}, once for this user")
    wanted = ["--no-install-recommends", "--fix-broken", "--download-only", "-y", "install", PACKAGE]
    try:
        _apt(config, wanted, timeout=DOWNLOAD_SECONDS)
    except CannotUnpack as error:
        complaints = [line for line in update.stderr.splitlines() if line.startswith(("W: Failed", "E:"))]
        raise CannotUnpack(" | ".join([str(error), *complaints[:2]])) from error
    return sorted((apt / "archives").glob("*.deb"))


def _configure(apt: Path, suite: str | None) -> Path:
    """The system's apt configuration without its hooks, with directories of our own."""
    for directory in ("lists/partial", "archives/partial", "dpkg", "log"):
        (apt / directory).mkdir(parents=True)
    # Beside another suite nothing counts as installed: its programs cannot run on the libraries of the system.
    installed = "" if suite else without_erlang(Path("/var/lib/dpkg/status").read_text())
    (apt / "dpkg" / "status").write_text(installed)
    dumped = _run(["apt-config", "dump"], timeout=30).stdout.splitlines()
    own = {
        "Dir::Etc::main": "/dev/null",
        "Dir::Etc::parts": "/dev/null",
        "Dir::State": apt,
        "Dir::State::lists": apt / "lists",
        "Dir::State::status": apt / "dpkg" / "status",
        "Dir::Cache": apt,
        "Dir::Cache::archives": apt / "archives",
        "Dir::Log": apt / "log",
        # Run by root, apt fetches as the user _apt, who may not enter root's cache.
        "APT::Sandbox::User": "root",
        "APT::Keep-Downloaded-Packages": "true",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
        "Acquire::http::Timeout": "20",
        "Acquire::https::Timeout": "20",
    }
    if suite:
        sources = apt / "sources.list"
        sources.write_text(f"deb [signed-by={KEYRING}] {_mirror()} {suite} main\n")
        own |= {"Dir::Etc::sourcelist": sources, "Dir::Etc::sourceparts": "/dev/null"}
    kept = [line for line in dumped if "-Invoke" not in line]
    config = apt / "apt.conf"
    config.write_text("\n".join([*kept, *(f'{name} "{value}";' for name, value in own.items()), ""]))
    return config


def _mirror() -> str:
    """The mirror of Debian that this system's apt is set up for; it has all suites."""
    if not KEYRING.exists():
        raise CannotUnpack(f"Debian's signatures cannot be checked, as there is no {KEYRING} (debian-archive-keyring)")
    found = mirror_of(_run(["apt-get", "indextargets", "--format", "$(REPO_URI)"], timeout=30).stdout.split())
    if found is None:
        raise CannotUnpack("apt is set up for no mirror of Debian's")
    return found


def mirror_of(addresses: Sequence[str]) -> str | None:
    """Which of apt's sources is one of Debian's own; beside it there may be others of any making."""
    return next((address for address in addresses if address.rstrip("/").endswith("/debian")), None)


def without_erlang(status: str) -> str:
    """A package list in which no part of Erlang or RabbitMQ is installed, so that all parts are fetched."""
    paragraphs = status.split("\n\n")
    return "\n\n".join(each for each in paragraphs if not re.match(r"Package: (erlang|rabbitmq)", each))


def relocate(tree: Path) -> None:
    """Let `erl` find its libraries wherever the tree is."""
    script = tree / "usr/lib/erlang/bin/erl"
    text = re.sub(r'ROOTDIR="?/usr/lib/erlang"?', lambda _: RELOCATED_ROOT, script.read_text())
    script.write_text(text)


def _version(packages: Sequence[Path]) -> str:
    names = [package.name.split("_") for package in packages]
    versions = [name[1] for name in names if name[0] == PACKAGE]
    if not versions:
        raise CannotUnpack(f"apt-get did not download {PACKAGE}")
    return re.sub(r"^\d+%3a|-.*", "", versions[0])


def system() -> str:
    """A tree is bound to a release and an architecture, and several machines may share a home."""
    release = platform.freedesktop_os_release()
    return f"{release.get('VERSION_CODENAME') or release['ID']}-{platform.machine()}"


def made_for(suite: str | None) -> str:
    """Where a tree runs. One of another suite has a C library of its own, so it runs on any release."""
    return f"{suite}-{platform.machine()}" if suite else system()


def _numbers(name: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", name)]


def _apt(config: Path, arguments: Sequence[str], *, timeout: float, check: bool = True) -> Completed:
    environment = ["env", f"APT_CONFIG={config}", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"]
    return _run([*environment, "apt-get", "-q", *arguments], timeout=timeout, check=check)


def _run(argv: Sequence[str], *, timeout: float, check: bool = True) -> Completed:
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise CannotUnpack(f"`{' '.join(argv[-2:])}` took more than {timeout:.0f} s") from error
    if check and done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()[-6:]
        raise CannotUnpack(f"`{' '.join(argv[-2:])}` failed: " + " | ".join(lines))
    return done


def unpack_packages(packages: Sequence[str], tree: Path, report: ReportLine) -> Path:
    """These packages of the system's own release, with what of their needs is not installed, in a new folder; one that
    an earlier run finished is taken as it is."""
    if tree.is_dir():
        return tree
    work = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=tree.parent))
    try:
        config = _configure(work / "apt", None)
        report(f"{tree.name:12}downloads {', '.join(packages)}, once for this user")
        _apt(config, ["update"], timeout=UPDATE_SECONDS, check=False)
        wanted = ["--no-install-recommends", "--download-only", "-y", "install", *packages]
        _apt(config, wanted, timeout=DOWNLOAD_SECONDS)
        for package in sorted((work / "apt" / "archives").glob("*.deb")):
            _run(["dpkg-deb", "-x", str(package), str(work / "tree")], timeout=120)
        return (work / "tree").rename(tree)
    finally:
        # What a program that was stopped still writes must not hide why it was.
        shutil.rmtree(work, ignore_errors=True)
